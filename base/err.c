#include "base/err.h"

static const struct {
    const char *name;
    const char *sentence;
} table[ERR_COUNT] = {
#define ERR_AS_ROW(code, sentence) [code] = {#code, sentence},
    ERR_CODES(ERR_AS_ROW)
#undef ERR_AS_ROW
};

const char *err_name(enum err_code code)
{
    return (unsigned)code < ERR_COUNT ? table[code].name : "ERR_?";
}

const char *err_sentence(enum err_code code)
{
    return (unsigned)code < ERR_COUNT ? table[code].sentence : "unknown error";
}
