/* oxcmail_class.c - PidTagMessageClass of a delivered message ([MS-OXCMAIL] 2.2.3.2). */
#include "store/mapi/oxcmail_int.h"

/* The value of "name:" on a line of a text/calendar or message/delivery-status body. */
static struct slice line_value(struct slice text, struct slice name)
{
    while (text.len) {
        struct slice line = slice_cut(&text, '\n');

        if (line.len && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (!slice_istarts(line, name))
            continue;
        struct slice rest = slice_from(line, name.len);
        if (rest.len && (rest.ptr[0] == ':' || rest.ptr[0] == ';'))
            return rest;
    }
    return SLICE_EMPTY;
}

/* Behind the colon of a line_value(), without blanks. */
static struct slice after_colon(struct slice value)
{
    slice_cut(&value, ':');
    return slice_trim(value);
}

static uint32_t find_part(const struct oxcmail *m, struct slice type, struct slice subtype)
{
    for (uint32_t i = 0; i < m->mime.n_parts; i++) {
        const struct mime_type *found = oxcmail_type(m, i);

        if (m->mime.parts[i].kind == MIME_LEAF && slice_eq(found->type, type) &&
            slice_eq(found->subtype, subtype))
            return i;
    }
    return OXCMAIL_NO_PART;
}

/* The answer that an ATTENDEE of a REPLY gives ([MS-OXCICAL] 2.1.3.1.1.20.2). */
static struct slice reply_class(struct slice calendar)
{
    struct slice attendee = line_value(calendar, S("ATTENDEE"));

    if (slice_find(attendee, S("PARTSTAT=ACCEPTED")) < attendee.len)
        return S("IPM.Schedule.Meeting.Resp.Pos");
    if (slice_find(attendee, S("PARTSTAT=TENTATIVE")) < attendee.len)
        return S("IPM.Schedule.Meeting.Resp.Tent");
    if (slice_find(attendee, S("PARTSTAT=DECLINED")) < attendee.len)
        return S("IPM.Schedule.Meeting.Resp.Neg");
    return S("IPM.Note");
}

static struct slice calendar_class(const struct oxcmail *m)
{
    uint32_t part = find_part(m, S("text"), S("calendar"));

    if (part == OXCMAIL_NO_PART)
        return SLICE_EMPTY;
    struct slice calendar = oxcmail_content(m, part);
    struct slice method = after_colon(line_value(calendar, S("METHOD")));
    if (slice_ieq(method, S("REQUEST")))
        return S("IPM.Schedule.Meeting.Request");
    if (slice_ieq(method, S("CANCEL")))
        return S("IPM.Schedule.Meeting.Canceled");
    if (slice_ieq(method, S("REPLY")))
        return reply_class(calendar);
    return SLICE_EMPTY;
}

/* RFC 3464: what happened to the first recipient that the report names. */
static struct slice delivery_class(const struct oxcmail *m)
{
    uint32_t part = find_part(m, S("message"), S("delivery-status"));

    if (part == OXCMAIL_NO_PART)
        return S("IPM.Note");
    struct slice action = after_colon(line_value(oxcmail_content(m, part), S("Action")));
    if (slice_ieq(action, S("delivered")))
        return S("REPORT.IPM.Note.DR");
    if (slice_ieq(action, S("delayed")))
        return S("REPORT.IPM.Note.Delayed");
    if (slice_ieq(action, S("relayed")))
        return S("REPORT.IPM.Note.Relayed");
    if (slice_ieq(action, S("expanded")))
        return S("REPORT.IPM.Note.Expanded");
    return S("REPORT.IPM.Note.NDR");
}

/* RFC 8098: displayed, or deleted unread. */
static struct slice disposition_class(const struct oxcmail *m)
{
    uint32_t part = find_part(m, S("message"), S("disposition-notification"));

    if (part == OXCMAIL_NO_PART)
        return S("IPM.Note");
    struct slice value = after_colon(line_value(oxcmail_content(m, part), S("Disposition")));
    bool displayed = slice_find(value, S("displayed")) < value.len;
    return displayed ? S("REPORT.IPM.Note.IPNRN") : S("REPORT.IPM.Note.IPNNRN");
}

static struct slice report_class(const struct oxcmail *m, const struct mime_type *top)
{
    struct slice kind = mime_param(top->params, top->n_params, S("report-type"));

    if (slice_ieq(kind, S("delivery-status")))
        return delivery_class(m);
    if (slice_ieq(kind, S("disposition-notification")))
        return disposition_class(m);
    return S("IPM.Note");
}

struct slice oxcmail_class(const struct oxcmail *m)
{
    const struct mime_type *top = oxcmail_type(m, 0);

    if (slice_eq(top->type, S("multipart")) && slice_eq(top->subtype, S("signed")))
        return S("IPM.Note.SMIME.MultipartSigned");
    if (slice_eq(top->type, S("application")) &&
        (slice_eq(top->subtype, S("pkcs7-mime")) || slice_eq(top->subtype, S("x-pkcs7-mime"))))
        return S("IPM.Note.SMIME");
    if (slice_eq(top->type, S("multipart")) && slice_eq(top->subtype, S("report")))
        return report_class(m, top);
    struct slice meeting = calendar_class(m);
    return meeting.len ? meeting : S("IPM.Note");
}
