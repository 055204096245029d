/*
 * prop.c - gatepost store prop USER [FOLDER [UID]]: the properties of a mailbox, a folder or a
 * message; with --set or --remove, changing one.
 */
#include <jansson.h>

#include "gateway/cli/cli.h"
#include "gateway/cli/props.h"
#include "store/account.h"

enum { SHOWN_WIDTH = 100, VALUE_MAX = 64 * 1024 * 1024 };

const struct cli_option cli_store_prop_options[] = {
    {"--set", true}, {"--remove", true}, {NULL, false}};

/* ---- which object ---- */

static struct err find_object(const struct cli *cli, struct store_read *rd, uint64_t *id)
{
    struct store_folder folder;
    struct message_row row;
    uint32_t uid;

    *id = STORE_OBJECT_MAILBOX;
    if (cli->n_operands < 2)
        return OK;
    struct err e = store_folder_find(rd, slice_str(cli->operands[1]), &folder);

    if (failed(e))
        return e;
    *id = folder.fid;
    if (cli->n_operands < 3)
        return OK;
    if (!slice_to_u32(slice_str(cli->operands[2]), &uid))
        return ERR(ERR_INVALID, "a UID is a number");
    e = store_message(rd, folder.fid, uid, &row);
    if (!failed(e))
        *id = row.mid;
    return e;
}

/* ---- showing ---- */

static bool is_explicit(const struct store_object *object, uint32_t tag)
{
    size_t n;
    const struct store_prop *props = store_object_explicit(object, &n);

    for (size_t i = 0; i < n; i++)
        if (props[i].tag == tag)
            return true;
    return false;
}

static void show_line(struct store_read *rd, const struct store_object *object,
                      const struct store_prop *prop, struct arena *in)
{
    struct buf line = buf_make(VALUE_MAX);

    buf_printf(&line, "%c %s ", is_explicit(object, prop->tag) ? '*' : ' ',
               props_label(rd, prop->tag, in));
    if (prop->large)
        buf_printf(&line, "(%llu bytes)", (unsigned long long)prop->len);
    else
        prop_print(prop_type(prop->tag), &prop->value, SHOWN_WIDTH, &line);
    printf("%.*s\n", SLICE_ARG(buf_slice(&line)));
    buf_done(&line);
}

static json_t *show_json(struct store_read *rd, const struct store_object *object,
                         struct store_prop *prop, struct arena *in)
{
    struct buf value = buf_make(2 * (size_t)VALUE_MAX), type = buf_make(100);
    bool multiple = prop_type(prop->tag) & PROP_MULTIPLE;
    bool text = prop_type(prop->tag) == PROP_STRING;

    if (!failed(store_prop_load(rd, prop, VALUE_MAX, in)))
        prop_print(prop_type(prop->tag), &prop->value, VALUE_MAX, &value);
    buf_printf(&type, "Ptyp%s%s", multiple ? "Multiple" : "",
               prop_type_name(prop_type(prop->tag)) + 4);
    json_t *one = json_pack(
        "{so so sb}", "value", cli_json_text(text ? prop->value.bytes : buf_slice(&value)), "type",
        cli_json_text(buf_slice(&type)), "explicit", (int)is_explicit(object, prop->tag));

    buf_done(&value);
    buf_done(&type);
    return one;
}

static struct err show(const struct cli *cli, struct store_read *rd, uint64_t id, struct arena *in)
{
    struct store_object *object;
    struct store_prop *list;
    size_t n;
    struct err e = store_object_open(rd, id, in, &object);

    if (!failed(e))
        e = store_object_list(object, &list, &n);
    if (failed(e))
        return e;
    json_t *all = json_object();

    for (size_t i = 0; i < n; i++) {
        if (cli->json)
            json_object_set_new(all, props_label(rd, list[i].tag, in),
                                show_json(rd, object, &list[i], in));
        else
            show_line(rd, object, &list[i], in);
    }
    if (cli->json) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(all);
    return OK;
}

/* ---- changing ---- */

static struct err give_id(struct mailbox *mb, struct props_tag *tag)
{
    struct store_name_props rq;
    uint16_t id;

    if (!tag->named)
        return OK;
    store_name_props_init(&rq);
    rq.names = &tag->name;
    rq.n = 1;
    rq.ids = &id;
    struct err e = store_run(mb, &rq.op);

    if (!failed(e) && id == 0)
        e = ERR(ERR_INVALID, "this cannot be the name of a property");
    tag->tag = PROP_TAG(id, prop_type(tag->tag));
    return e;
}

static struct err change(struct mailbox *mb, uint64_t id, struct store_prop_change *change)
{
    struct store_set_props rq;

    store_set_props_init(&rq);
    rq.id = id;
    rq.changes = change;
    rq.n = 1;
    struct err e = store_run(mb, &rq.op);

    return !failed(e) && change->problem != ERR_NONE
               ? (struct err){change->problem, "of this property"}
               : e;
}

/* `what` is TAG=VALUE, or TAG where it is to be removed. */
static struct err change_one(struct mailbox *mb, uint64_t id, struct slice what, bool remove,
                             struct arena *in)
{
    struct slice text = remove ? what : slice_cut(&what, '=');
    struct store_prop_change one = {.remove = remove};
    struct props_tag tag;

    if (!props_parse_tag(text, &tag))
        return ERR(ERR_INVALID, "no such property");
    if (!remove && !props_parse_value(prop_type(tag.tag), what, in, &one.prop.value))
        return ERR(ERR_INVALID, "not a value of this property's type");
    struct err e = give_id(mb, &tag);

    one.prop.tag = tag.tag;
    return failed(e) ? e : change(mb, id, &one);
}

static int run(const struct cli *cli, struct mailbox *mb, struct arena *in)
{
    const char *set = cli_option(cli, "--set"), *remove = cli_option(cli, "--remove");
    const char *what = set ? set : remove ? remove : cli->operands[cli->n_operands - 1];
    struct store_read *rd;
    uint64_t id = 0;

    if (set && remove)
        return cli_usage(cli);
    struct err e = store_read_begin(mb, &rd);
    if (failed(e))
        return cli_fail_err(cli, cli->operands[0], e);
    e = find_object(cli, rd, &id);
    if (!failed(e) && !set && !remove)
        e = show(cli, rd, id, in);
    store_read_end(rd);
    if (!failed(e) && (set || remove))
        e = change_one(mb, id, slice_str(what), remove != NULL, in);
    return failed(e) ? cli_fail_err(cli, what, e) : CLI_OK;
}

int cli_store_prop(struct cli *cli)
{
    return cli_with_mailbox(cli, run);
}
