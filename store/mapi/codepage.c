#include "store/mapi/codepage.h"

/* Where two charsets share a code page, the first is the one that it is called. */
static const struct {
    const char *charset;
    int codepage;
} codepages[] = {
    {"utf-8", CODEPAGE_UTF8}, {"us-ascii", CODEPAGE_ASCII},
    {"iso-8859-1", 28591},    {"iso-8859-2", 28592},
    {"iso-8859-3", 28593},    {"iso-8859-4", 28594},
    {"iso-8859-5", 28595},    {"iso-8859-6", 28596},
    {"iso-8859-7", 28597},    {"iso-8859-8", 28598},
    {"iso-8859-9", 28599},    {"iso-8859-13", 28603},
    {"iso-8859-15", 28605},   {"windows-874", 874},
    {"windows-1250", 1250},   {"windows-1251", 1251},
    {"windows-1252", 1252},   {"windows-1253", 1253},
    {"windows-1254", 1254},   {"windows-1255", 1255},
    {"windows-1256", 1256},   {"windows-1257", 1257},
    {"windows-1258", 1258},   {"koi8-r", 20866},
    {"koi8-u", 21866},        {"iso-2022-jp", 50220},
    {"shift_jis", 932},       {"euc-jp", 51932},
    {"gb2312", 936},          {"gbk", 936},
    {"gb18030", 54936},       {"big5", 950},
    {"euc-kr", 51949},        {"ks_c_5601-1987", 949},
};

enum { N_CODEPAGES = sizeof codepages / sizeof *codepages };

int codepage_of_charset(struct slice charset)
{
    for (size_t i = 0; i < N_CODEPAGES; i++)
        if (slice_ieq(charset, slice_str(codepages[i].charset)))
            return codepages[i].codepage;
    return charset.len ? CODEPAGE_UTF8 : CODEPAGE_ASCII;
}

struct err codepage_charset(int codepage, struct slice *out)
{
    for (size_t i = 0; i < N_CODEPAGES; i++)
        if (codepages[i].codepage == codepage) {
            *out = slice_str(codepages[i].charset);
            return OK;
        }
    return ERR(ERR_UNSUPPORTED, "unknown code page");
}
