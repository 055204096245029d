#include "base/clock.h"

const char *const clock_month_names[12] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
const char *const clock_day_names[7] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

struct clock clock_now(void)
{
    struct timespec mono, wall;

    clock_gettime(CLOCK_MONOTONIC, &mono);
    clock_gettime(CLOCK_REALTIME, &wall);
    return (struct clock){
        .mono_ms = (uint64_t)mono.tv_sec * 1000 + (uint64_t)mono.tv_nsec / 1000000,
        .wall = filetime_from_unix(wall.tv_sec) + (uint64_t)wall.tv_nsec / 100,
    };
}

/*
 * Days from 1970-01-01, counting years from March so that the leap day is a year's last: then
 * month lengths repeat every five months, and 400 years have 146,097 days.
 */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

static int days_in_month(int year, int month)
{
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

bool civil_to_unix(const struct civil *c, int64_t *seconds)
{
    if (c->month < 1 || c->month > 12 || c->day < 1 || c->day > days_in_month(c->year, c->month) ||
        c->hour < 0 || c->hour > 23 || c->minute < 0 || c->minute > 59 || c->second < 0 ||
        c->second > 60)
        return false;
    *seconds = days_from_civil(c->year, c->month, c->day) * 86400 + c->hour * 3600 +
               c->minute * 60 + c->second;
    return true;
}

struct civil civil_from_unix(int64_t seconds)
{
    int64_t days = seconds / 86400, rest = seconds % 86400;

    if (rest < 0) {
        rest += 86400;
        days--;
    }
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    int month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);

    return (struct civil){
        .year = (int)(year_of_era + era * 400 + (month <= 2)),
        .month = month,
        .day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1),
        .hour = (int)(rest / 3600),
        .minute = (int)(rest / 60 % 60),
        .second = (int)(rest % 60),
        .weekday = (int)(((days % 7) + 11) % 7), /* 1970-01-01 was a Thursday */
    };
}

void clock_put_rfc3339(struct buf *out, uint64_t filetime)
{
    struct civil c = civil_from_unix(filetime_to_unix(filetime));

    buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", c.year, c.month, c.day, c.hour, c.minute,
               c.second, (int)(filetime % FILETIME_SECOND / 10000));
}

void clock_put_rfc5322(struct buf *out, uint64_t filetime)
{
    struct civil c = civil_from_unix(filetime_to_unix(filetime));

    buf_printf(out, "%s, %d %s %04d %02d:%02d:%02d +0000", clock_day_names[c.weekday], c.day,
               clock_month_names[c.month - 1], c.year, c.hour, c.minute, c.second);
}

void clock_put_http(struct buf *out, uint64_t filetime)
{
    struct civil c = civil_from_unix(filetime_to_unix(filetime));

    buf_printf(out, "%s, %02d %s %04d %02d:%02d:%02d GMT", clock_day_names[c.weekday], c.day,
               clock_month_names[c.month - 1], c.year, c.hour, c.minute, c.second);
}

/* Exactly `digits` of them, from the front. */
static bool take_digits(struct slice *text, size_t digits, int *out)
{
    *out = 0;
    for (size_t i = 0; i < digits; i++) {
        if (i >= text->len || !ascii_is_digit(text->ptr[i]))
            return false;
        *out = *out * 10 + (text->ptr[i] - '0');
    }
    *text = slice_from(*text, digits);
    return true;
}

static bool take_byte(struct slice *text, uint8_t byte)
{
    if (text->len == 0 || text->ptr[0] != byte)
        return false;
    *text = slice_from(*text, 1);
    return true;
}

static bool take_time(struct slice *text, struct civil *c)
{
    return take_digits(text, 2, &c->hour) && take_byte(text, ':') &&
           take_digits(text, 2, &c->minute) && take_byte(text, ':') &&
           take_digits(text, 2, &c->second);
}

/* Behind the point, in units of 100 ns; what is finer is passed over. */
static bool take_fraction(struct slice *text, uint64_t *out)
{
    size_t n = 0;

    for (uint64_t unit = FILETIME_SECOND / 10; n < text->len && ascii_is_digit(text->ptr[n]); n++) {
        *out += unit * (uint64_t)(text->ptr[n] - '0');
        unit /= 10;
    }
    *text = slice_from(*text, n);
    return n > 0;
}

bool clock_parse_rfc3339(struct slice text, uint64_t *filetime)
{
    struct civil c = {0};
    uint64_t fraction = 0;
    int64_t seconds;

    if (!take_digits(&text, 4, &c.year) || !take_byte(&text, '-') ||
        !take_digits(&text, 2, &c.month) || !take_byte(&text, '-') ||
        !take_digits(&text, 2, &c.day))
        return false;
    if ((take_byte(&text, 'T') || take_byte(&text, ' ')) &&
        (!take_time(&text, &c) || (take_byte(&text, '.') && !take_fraction(&text, &fraction))))
        return false;
    (void)take_byte(&text, 'Z');
    if (text.len || c.year < 1601 || !civil_to_unix(&c, &seconds))
        return false;
    *filetime = filetime_from_unix(seconds) + fraction;
    return true;
}
