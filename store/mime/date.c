#include "store/mime/mime_int.h"

#include "base/clock.h"

/*
 * The date is cut into numbers, words, clock times and zones, and each says by its form what it
 * is. So the order of RFC 5322, of asctime() and of ISO 8601 are all read by the same few rules.
 */

struct parts {
    int day, month, year; /* -1: not seen */
    int hour, minute, second;
    int zone; /* minutes */
    bool has_time, has_zone, pm, am;
};

/* Up to nine digits; more make no sense anywhere. Returns how many there were. */
static size_t take_digits(struct slice *s, int *n)
{
    size_t digits = 0;

    for (*n = 0; digits < s->len && digits < 9 && ascii_is_digit(s->ptr[digits]); digits++)
        *n = *n * 10 + (s->ptr[digits] - '0');
    *s = slice_from(*s, digits);
    return digits;
}

static bool take_byte(struct slice *s, uint8_t byte)
{
    if (s->len == 0 || s->ptr[0] != byte)
        return false;
    *s = slice_from(*s, 1);
    return true;
}

/* Behind "hh:" */
static bool take_clock(struct slice *s, struct parts *p, int hour)
{
    int ignored;

    if (p->has_time || take_digits(s, &p->minute) == 0)
        return false;
    p->hour = hour;
    p->second = 0;
    p->has_time = true;
    if (!take_byte(s, ':'))
        return true;
    if (take_digits(s, &p->second) == 0)
        return false;
    if (take_byte(s, '.'))
        take_digits(s, &ignored);
    return true;
}

/* RFC 5322 4.3: two digits are 1950 to 2049, three are added to 1900. */
static int full_year(int n, size_t digits)
{
    if (digits <= 2)
        return n < 50 ? n + 2000 : n + 1900;
    return digits == 3 ? n + 1900 : n;
}

/* "+hhmm", "+hh:mm", "+hh" */
static void take_zone(struct slice *s, struct parts *p)
{
    bool west = s->ptr[0] == '-';
    int n, minute = 0;

    *s = slice_from(*s, 1);
    size_t digits = take_digits(s, &n);
    if (digits == 0)
        return;
    if (digits <= 2) {
        if (take_byte(s, ':') && take_digits(s, &minute) == 0)
            minute = 0;
        n = n * 100 + minute;
    }
    p->has_zone = true;
    p->zone = 0;
    if (n / 100 <= 24 && n % 100 < 60)
        p->zone = (n / 100 * 60 + n % 100) * (west ? -1 : 1);
}

/* A date in numbers: "2004-03-01", "2004/3/1". */
static bool take_iso(struct slice *s, struct parts *p, int year)
{
    uint8_t mark = s->ptr[0];

    *s = slice_from(*s, 1);
    if (take_digits(s, &p->month) == 0 || !take_byte(s, mark) || take_digits(s, &p->day) == 0)
        return false;
    p->month--;
    p->year = year;
    if (s->len && (s->ptr[0] == 'T' || s->ptr[0] == 't'))
        *s = slice_from(*s, 1);
    return true;
}

static bool take_number(struct slice *s, struct parts *p)
{
    int n;
    size_t digits = take_digits(s, &n);

    if (take_byte(s, ':'))
        return take_clock(s, p, n);
    if (digits == 4 && p->year < 0 && p->day < 0 && s->len > 1 &&
        (s->ptr[0] == '-' || s->ptr[0] == '/') && ascii_is_digit(s->ptr[1]))
        return take_iso(s, p, n);
    if (p->day < 0 && digits <= 2) {
        p->day = n;
        take_byte(s, '-');
    } else if (p->year < 0) {
        p->year = full_year(n, digits);
    }
    return true;
}

/* RFC 5322 4.3. Any other name is as good as -0000, that is UTC. */
static int zone_of_name(struct slice word)
{
    static const struct {
        const char *name;
        int hours;
    } zones[] = {
        {"EST", -5}, {"EDT", -4}, {"CST", -6}, {"CDT", -5},
        {"MST", -7}, {"MDT", -6}, {"PST", -8}, {"PDT", -7},
    };

    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
        if (slice_ieq(word, slice_str(zones[i].name)))
            return zones[i].hours * 60;
    return 0;
}

static int month_of_name(struct slice word)
{
    for (int i = 0; i < 12; i++)
        if (word.len >= 3 && slice_istarts(word, slice_str(clock_month_names[i])))
            return i;
    return -1;
}

static void take_word(struct slice *s, struct parts *p)
{
    size_t n = 0;

    while (n < s->len && ascii_is_alpha(s->ptr[n]))
        n++;
    struct slice word = slice_head(*s, n);
    *s = slice_from(*s, n);
    int month = month_of_name(word);
    if (month >= 0 && p->month < 0) {
        p->month = month;
        take_byte(s, '-');
        return;
    }
    if (!p->has_time)
        return; /* the name of the day */
    if (slice_ieq(word, S("PM")))
        p->pm = true;
    else if (slice_ieq(word, S("AM")))
        p->am = true;
    else if (!p->has_zone) {
        p->has_zone = true;
        p->zone = zone_of_name(word);
        /* "GMT+0200" means what follows. */
        if (s->len && (s->ptr[0] == '+' || s->ptr[0] == '-'))
            p->has_zone = false;
    }
}

static bool read_parts(struct slice s, struct parts *p)
{
    for (mime_skip_cfws(&s); s.len; mime_skip_cfws(&s)) {
        uint8_t c = s.ptr[0];

        if (ascii_is_digit(c)) {
            if (!take_number(&s, p))
                return false;
        } else if ((c == '+' || c == '-') && p->has_time && !p->has_zone) {
            take_zone(&s, p);
        } else if (ascii_is_alpha(c)) {
            take_word(&s, p);
        } else {
            s = slice_from(s, 1);
        }
    }
    return p->day > 0 && p->month >= 0 && p->year > 0 && p->year <= 9999;
}

bool mime_date(struct slice value, int64_t *unix_seconds, int *zone)
{
    struct parts p = {.day = -1, .month = -1, .year = -1};
    int64_t seconds;

    if (!read_parts(value, &p))
        return false;
    if (p.pm && p.hour < 12)
        p.hour += 12;
    if (p.am && p.hour == 12)
        p.hour = 0;
    struct civil civil = {p.year, p.month + 1, p.day, p.hour, p.minute, p.second, 0};
    if (!civil_to_unix(&civil, &seconds))
        return false;
    *unix_seconds = seconds - (int64_t)p.zone * 60;
    *zone = p.zone;
    return true;
}
