#include "store/mime/mime_int.h"

/*
 * RFC 5256 2.1. The subject is eaten from both ends; what looks like a run of blobs is looked at
 * once, so that "[a][a][a]..." costs no more than its length.
 */

/* Step 1: one space for any run of white space. */
static struct slice squeeze(struct slice s, struct arena *in)
{
    bool needed = false, space = false;

    for (size_t i = 0; i < s.len && !needed; i++) {
        needed = is_space(s.ptr[i]) && (space || s.ptr[i] != ' ');
        space = s.ptr[i] == ' ';
    }
    if (!needed)
        return s;
    uint8_t *to = arena_alloc(in, s.len);
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (!is_space(s.ptr[i]))
            to[len++] = s.ptr[i];
        else if (len == 0 || to[len - 1] != ' ')
            to[len++] = ' ';
    }
    return slice_of(to, len);
}

/* subj-blob = "[" *BLOBCHAR "]" *WSP; BLOBCHAR is anything but brackets. */
static size_t blob_length(struct slice s)
{
    size_t n = 1;

    if (s.len == 0 || s.ptr[0] != '[')
        return 0;
    while (n < s.len && s.ptr[n] != '[' && s.ptr[n] != ']')
        n++;
    if (n >= s.len || s.ptr[n] != ']')
        return 0;
    for (n++; n < s.len && s.ptr[n] == ' ';)
        n++;
    return n;
}

/* subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":" */
static size_t refwd_length(struct slice s)
{
    size_t n = slice_istarts(s, S("re"))    ? 2
               : slice_istarts(s, S("fwd")) ? 3
               : slice_istarts(s, S("fw"))  ? 2
                                            : 0;

    if (n == 0)
        return 0;
    while (n < s.len && s.ptr[n] == ' ')
        n++;
    n += blob_length(slice_from(s, n));
    return n < s.len && s.ptr[n] == ':' ? n + 1 : 0;
}

/* Step 2: "(fwd)" and spaces at the end. */
static struct slice cut_trailers(struct slice s, bool *is_reply)
{
    for (;;) {
        s = slice_trim(s);
        if (s.len < 5 || !slice_ieq(slice_from(s, s.len - 5), S("(fwd)")))
            return s;
        s.len -= 5;
        *is_reply = true;
    }
}

/* Steps 3 to 5: "[blob] Re:" any number of times, then blobs as long as something is behind. */
static struct slice cut_leaders(struct slice s, bool *is_reply)
{
    for (;;) {
        struct slice rest = s = slice_trim(s), last = s;
        size_t n;

        while ((n = blob_length(rest)) > 0) {
            last = rest;
            rest = slice_from(rest, n);
        }
        n = refwd_length(rest);
        if (n == 0)
            return rest.len ? rest : last;
        *is_reply = true;
        s = slice_from(rest, n);
    }
}

struct slice mime_base_subject(struct slice subject, struct arena *in, bool *is_reply)
{
    struct slice s = squeeze(subject, in);

    *is_reply = false;
    for (;;) {
        s = cut_leaders(cut_trailers(s, is_reply), is_reply);
        /* Step 6 */
        if (!slice_istarts(s, S("[fwd:")) || !slice_ends(s, S("]")))
            return s;
        s = slice_sub(s, 5, s.len - 6);
        *is_reply = true;
    }
}
