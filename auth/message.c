/*
 * message.c - what a client's message says, read before libsasl2 sees it.
 *
 * libsasl2 takes NULs for ends in some mechanisms, does not compare SCRAM's GS2 flag with the name
 * of the mechanism, and has no word for a wrong binding. We do not leave these to it.
 */
#include "auth/auth_int.h"
#include "base/base64.h"

bool message_plain(struct slice message, struct slice *authzid, struct slice *name,
                   struct slice *secret)
{
    struct slice rest = message;
    size_t nuls = 0;

    for (size_t i = 0; i < message.len; i++)
        nuls += message.ptr[i] == 0;
    if (nuls != 2)
        return false;
    *authzid = slice_cut(&rest, 0);
    *name = slice_cut(&rest, 0);
    *secret = rest;
    return true;
}

/* saslname: "=2C" is a comma and "=3D" an equals sign, and no other '=' may be (RFC 5802 5.1). */
static bool decode_saslname(struct slice coded, struct arena *in, struct slice *out)
{
    uint8_t *to = arena_alloc(in, coded.len + 1);
    size_t n = 0;

    while (coded.len) {
        uint8_t c = coded.ptr[0];
        size_t used = 1;

        if (c == '=') {
            bool comma = slice_starts(coded, S("=2C"));

            if (!comma && !slice_starts(coded, S("=3D")))
                return false;
            c = comma ? ',' : '=';
            used = 3;
        }
        to[n++] = c;
        coded = slice_from(coded, used);
    }
    *out = slice_of(to, n);
    return true;
}

/* RFC 5802 7: printable, of ASCII without the comma. */
static bool is_printable(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7F || s.ptr[i] == ',')
            return false;
    return true;
}

/* gs2-cbind-flag: "n", "y" or "p=" and a type. */
static bool take_flag(struct slice flag, struct scram_first *out)
{
    if (slice_eq(flag, S("n")) || slice_eq(flag, S("y"))) {
        out->flag = flag.ptr[0];
        return true;
    }
    out->flag = 'p';
    out->binding = slice_from(flag, 2);
    return slice_starts(flag, S("p=")) && out->binding.len > 0;
}

bool message_scram_first(struct slice message, struct arena *in, struct scram_first *out)
{
    struct scram_first first = {.authzid = SLICE_EMPTY};
    struct slice rest = message;
    struct slice flag = slice_cut(&rest, ',');
    struct slice authzid = slice_cut(&rest, ',');

    if (slice_index(message, 0) < message.len || !take_flag(flag, &first))
        return false;
    if (authzid.len) {
        if (!slice_starts(authzid, S("a=")) || authzid.len == 2 ||
            !decode_saslname(slice_from(authzid, 2), in, &first.authzid))
            return false;
    }
    first.header = slice_head(message, message.len - rest.len);
    first.bare = rest;
    struct slice name = slice_cut(&rest, ',');
    struct slice nonce = slice_cut(&rest, ',');
    if (!slice_starts(name, S("n=")) || !decode_saslname(slice_from(name, 2), in, &first.name) ||
        !slice_starts(nonce, S("r=")))
        return false;
    first.nonce = slice_from(nonce, 2);
    *out = first;
    return first.nonce.len > 0 && is_printable(first.nonce);
}

bool message_scram_final(struct slice message, struct scram_final *out)
{
    size_t at = message.len;

    while (at > 0 && message.ptr[at - 1] != ',')
        at--;
    struct slice proof = slice_from(message, at), rest = slice_head(message, at ? at - 1 : 0);
    *out = (struct scram_final){.bare = rest};
    slice_cut(&rest, ','); /* the binding, which message_scram_binds() looks at */
    struct slice nonce = slice_cut(&rest, ',');
    out->nonce = slice_from(nonce, 2);
    out->proof = slice_from(proof, 2);
    return slice_starts(nonce, S("r=")) && slice_starts(proof, S("p="));
}

bool message_scram_binds(struct slice message, struct slice header, struct slice data)
{
    struct buf said = buf_make(message.len);
    struct slice coded = slice_cut(&message, ',');
    bool binds = false;

    if (slice_starts(coded, S("c=")) && base64_decode(slice_from(coded, 2), &said)) {
        struct slice s = buf_slice(&said);

        binds = slice_starts(s, header) && slice_eq(slice_from(s, header.len), data);
    }
    buf_wipe(&said);
    return binds;
}
