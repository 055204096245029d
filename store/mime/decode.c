#include "store/mime/mime_int.h"

void mime_decoder_init(struct mime_decoder *d, enum mime_encoding encoding)
{
    memset(d, 0, sizeof *d);
    d->encoding = encoding;
    d->broken = encoding == MIME_UNKNOWN;
}

/* ---- base64 (RFC 2045 6.8) ---- */

enum { B64_SPACE = 64, B64_PAD, B64_BAD };

static const uint8_t *b64_values(void)
{
    static const uint8_t values[256] = {
#define BAD8 66, 66, 66, 66, 66, 66, 66, 66
#define BAD32 BAD8, BAD8, BAD8, BAD8
        66,    66,    66,    66,    66, 66, 66, 66, 66, 64, 64, 66, 66, 64, 66, 66, /* TAB LF CR */
        BAD8,  BAD8,                                                                /* controls */
        64,    66,    66,    66,    66, 66, 66, 66, 66, 66, 66, 62, 66, 66, 66, 63, /* SP + / */
        52,    53,    54,    55,    56, 57, 58, 59, 60, 61, 66, 66, 66, 65, 66, 66, /* 0-9 = */
        66,    0,     1,     2,     3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, /* A-O */
        15,    16,    17,    18,    19, 20, 21, 22, 23, 24, 25, 66, 66, 66, 66, 66, /* P-Z */
        66,    26,    27,    28,    29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, /* a-o */
        41,    42,    43,    44,    45, 46, 47, 48, 49, 50, 51, 66, 66, 66, 66, 66, /* p-z */
        BAD32, BAD32, BAD32, BAD32,
#undef BAD8
#undef BAD32
    };

    return values;
}

/* One byte of base64. Returns how many bytes (0 or 1) went to `to`. */
static size_t b64_step(struct mime_decoder *d, uint8_t value, uint8_t *to)
{
    if (value == B64_SPACE)
        return 0;
    if (value == B64_BAD) {
        d->broken = true;
        return 0;
    }
    if (value == B64_PAD) {
        /* What may follow is encoded by itself: some mailers join padded pieces. */
        d->broken |= d->n_bits == 6;
        d->n_bits = 0;
        return 0;
    }
    d->bits = d->bits << 6 | value;
    d->n_bits = (uint8_t)(d->n_bits + 6);
    if (d->n_bits < 8)
        return 0;
    d->n_bits = (uint8_t)(d->n_bits - 8);
    *to = (uint8_t)(d->bits >> d->n_bits);
    return 1;
}

static void b64_piece(struct mime_decoder *d, struct slice in, struct buf *out)
{
    const uint8_t *values = b64_values(), *from = in.ptr, *end = from + in.len;
    uint8_t *start = buf_reserve(out, in.len / 4 * 3 + 3), *to = start;

    if (!to)
        return;
    while (from < end) {
        while (d->n_bits == 0 && end - from >= 4) {
            uint8_t a = values[from[0]], b = values[from[1]];
            uint8_t c = values[from[2]], e = values[from[3]];

            if ((a | b | c | e) >= 64)
                break;
            *to++ = (uint8_t)(a << 2 | b >> 4);
            *to++ = (uint8_t)(b << 4 | c >> 2);
            *to++ = (uint8_t)(c << 6 | e);
            from += 4;
        }
        if (from < end)
            to += b64_step(d, values[*from++], to);
    }
    buf_commit(out, (size_t)(to - start));
}

/* ---- quoted-printable (RFC 2045 6.7) ---- */

/*
 * What cannot be judged yet is held: blanks that may turn out to end a line (they are dropped), a
 * CR behind them, and an '=' with what follows it so far. Of more blanks than fit the first are
 * taken for text, wherever the pieces are cut.
 */
enum { HELD_BLANKS = 78 };

static void hold(struct mime_decoder *d, uint8_t c)
{
    d->held[d->n_held++] = c;
}

static void release(struct mime_decoder *d, struct buf *out)
{
    buf_put(out, slice_of(d->held, d->n_held));
    d->n_held = 0;
}

/* A byte behind a held '='. False if the '=' was none and `c` is still to be taken. */
static bool qp_escape(struct mime_decoder *d, uint8_t c, struct buf *out)
{
    uint8_t last = d->held[d->n_held - 1];

    if (c == '\n') {
        if (d->n_held == 1 || last == '\r' || is_blank(last)) {
            d->n_held = 0; /* a soft line end */
            return true;
        }
    } else if (last == '\r') {
        ; /* broken */
    } else if (c == '\r' || is_blank(c)) {
        if ((d->n_held == 1 || is_blank(last)) && d->n_held < HELD_BLANKS) {
            hold(d, c);
            return true;
        }
    } else if (ascii_hex(c) >= 0 && d->n_held == 1) {
        hold(d, c);
        return true;
    } else if (ascii_hex(c) >= 0 && d->n_held == 2 && !is_blank(last)) {
        buf_putc(out, (uint8_t)(ascii_hex(last) * 16 + ascii_hex(c)));
        d->n_held = 0;
        return true;
    }
    d->broken = true;
    release(d, out);
    return false;
}

/* A byte while something is held. False if that was released and `c` is still to be taken. */
static bool qp_held(struct mime_decoder *d, uint8_t c, struct buf *out)
{
    if (d->held[0] == '=')
        return qp_escape(d, c, out);
    if (d->held[d->n_held - 1] == '\r') {
        if (c == '\n') {
            d->n_held = 0;
            buf_put(out, S("\r\n"));
            return true;
        }
    } else if (c == '\n') {
        d->n_held = 0;
        buf_putc(out, '\n');
        return true;
    } else if (c == '\r') {
        hold(d, c);
        return true;
    } else if (is_blank(c)) {
        if (d->n_held == HELD_BLANKS) {
            buf_putc(out, d->held[0]);
            memmove(d->held, d->held + 1, --d->n_held);
        }
        hold(d, c);
        return true;
    }
    release(d, out);
    return false;
}

/* Text up to an '=' or a line end; the blanks and the CR before that are left, to be judged. */
static size_t qp_plain(struct slice in)
{
    struct slice line = slice_head(in, line_length(in));
    size_t n = slice_index(line, '=');

    if (n < line.len)
        return n;
    if (n > 0 && in.ptr[n - 1] == '\n')
        n--;
    if (n > 0 && in.ptr[n - 1] == '\r')
        n--;
    while (n > 0 && is_blank(in.ptr[n - 1]))
        n--;
    return n;
}

static void qp_piece(struct mime_decoder *d, struct slice in, struct buf *out)
{
    while (in.len) {
        uint8_t c = in.ptr[0];

        if (d->n_held) {
            if (qp_held(d, c, out))
                in = slice_from(in, 1);
            continue;
        }
        size_t plain = qp_plain(in);
        buf_put(out, slice_head(in, plain));
        in = slice_from(in, plain);
        if (in.len == 0)
            return;
        if (in.ptr[0] == '\n')
            buf_putc(out, '\n');
        else
            hold(d, in.ptr[0]);
        in = slice_from(in, 1);
    }
}

/* ---- both ---- */

void mime_decode_piece(struct mime_decoder *d, struct slice in, struct buf *out)
{
    if (in.len == 0)
        return;
    if (d->encoding == MIME_BASE64)
        b64_piece(d, in, out);
    else if (d->encoding == MIME_QP)
        qp_piece(d, in, out);
    else
        buf_put(out, in);
}

void mime_decode_end(struct mime_decoder *d, struct buf *out)
{
    if (d->encoding == MIME_BASE64)
        d->broken |= d->n_bits == 6;
    if (d->encoding != MIME_QP || d->n_held == 0)
        return;
    if (d->held[0] == '=') {
        /* "=" and blanks at the very end are a soft line end, "=4" is not. */
        if (d->n_held > 1 && !is_blank(d->held[1]) && d->held[1] != '\r') {
            d->broken = true;
            release(d, out);
        }
    } else if (d->held[d->n_held - 1] == '\r') {
        release(d, out);
    }
    d->n_held = 0;
}
