/* session.c - the routes, and a request that waits for figures. */
#include "base/mem.h"
#include "protocols/ops/ops_int.h"

/* Longer than any deadline of the source's own: whoever meets it has met a server in trouble. */
enum { PATIENCE_MS = 15 * 1000 };

/* It outlives an exchange that ends before its figures are there. */
struct waiting {
    struct ops_gather rq;
    struct http_exchange *x; /* NULL: gone */
};

struct view {
    struct waiting *waiting;
    const struct ops_figures *figures;
    uint64_t until; /* 0: nobody was asked yet */
};

static void on_gathered(struct ops_gather *rq)
{
    struct waiting *w = rq->owner;

    if (w->x) {
        struct view *view = http_state(w->x);

        view->figures = rq->figures;
        view->waiting = NULL;
        http_wake(w->x);
    } else {
        rq->figures->let_go(rq->figures);
    }
    free(w);
}

static void ask(struct http_exchange *x, struct view *view, bool history)
{
    const struct session_env *env = http_env(x);
    struct waiting *w = mem_new(sizeof *w);

    *w = (struct waiting){
        .rq = {.history = history, .home = env->home, .done = on_gathered, .owner = w},
        .x = x,
    };
    view->waiting = w;
    view->until = env->clock->mono_ms + PATIENCE_MS;
    http_wake_at(x, view->until);
    env->ops->gather(env->ops, &w->rq);
}

/* True: the figures are there. Else *next is wanted. */
static bool have_figures(struct http_exchange *x, bool history, enum http_next *next)
{
    struct view *view = http_state(x);

    if (view->figures)
        return true;
    if (!view->until)
        ask(x, view, history);
    *next = http_env(x)->clock->mono_ms >= view->until ? http_refuse(x, 503) : HTTP_WAIT;
    return false;
}

static void view_done(struct http_exchange *x)
{
    struct view *view = http_state(x);

    if (view->waiting)
        view->waiting->x = NULL;
    if (view->figures)
        view->figures->let_go(view->figures);
}

static enum http_next health(struct http_exchange *x)
{
    struct view *view = http_state(x);
    enum http_next next;

    if (!have_figures(x, false, &next))
        return next;
    http_status(x, ops_is_healthy(view->figures) ? 200 : 503);
    http_header(x, "Content-Type", S("application/json"));
    ops_put_health(view->figures, http_out(x));
    return HTTP_DONE;
}

static enum http_next metrics(struct http_exchange *x)
{
    struct view *view = http_state(x);
    enum http_next next;

    if (!have_figures(x, false, &next))
        return next;
    http_status(x, 200);
    http_header(x, "Content-Type", S("text/plain; version=0.0.4; charset=utf-8"));
    ops_put_metrics(view->figures, http_out(x));
    return HTTP_DONE;
}

static enum http_next overview(struct http_exchange *x)
{
    struct view *view = http_state(x);
    enum http_next next;

    if (!have_figures(x, true, &next))
        return next;
    http_status(x, 200);
    http_header(x, "Content-Type", S("application/json"));
    ops_put_overview(view->figures, http_env(x)->host_name, http_out(x));
    return HTTP_DONE;
}

/* The page and what belongs to it. */
static enum http_next file(struct http_exchange *x)
{
    const struct ops_file *f = ops_files;

    while (f->path && !slice_eq(http_request(x)->path, slice_str(f->path)))
        f++;
    return f->path ? http_answer(x, 200, f->type, f->bytes) : http_refuse(x, 404);
}

static enum http_next live(struct http_exchange *x)
{
    return http_answer(x, 200, "text/plain; charset=utf-8", S("alive\n"));
}

static const struct http_handler health_handler = {"health", sizeof(struct view), health,
                                                   view_done};
static const struct http_handler metrics_handler = {"metrics", sizeof(struct view), metrics,
                                                    view_done};
static const struct http_handler overview_handler = {"overview", sizeof(struct view), overview,
                                                     view_done};
static const struct http_handler file_handler = {"file", 0, file, NULL};
static const struct http_handler live_handler = {"live", 0, live, NULL};

/* clang-format off */
static const struct http_route routes[] = {
    {HTTP_VERB_GET, "/",             HTTP_LOGON, &file_handler,      "a page for people"},
    {HTTP_VERB_GET, "/page.css",     HTTP_LOGON, &file_handler,      "of the page"},
    {HTTP_VERB_GET, "/page.js",      HTTP_LOGON, &file_handler,      "of the page"},
    {HTTP_VERB_GET, "/icon.svg",     HTTP_LOGON, &file_handler,      "of the page"},
    {HTTP_VERB_GET, "/api/overview", HTTP_LOGON, &overview_handler,  "what the page shows, JSON"},
    {HTTP_VERB_GET, "/api/tail",     HTTP_LOGON, &ops_watch_handler, "records as they come"},
    {HTTP_VERB_GET, "/health",       HTTP_LOGON, &health_handler,    "can it serve? 200 or 503"},
    {HTTP_VERB_GET, "/health/live",  HTTP_LOGON, &live_handler,      "does it answer at all?"},
    {HTTP_VERB_GET, "/metrics",      HTTP_LOGON, &metrics_handler,   "Prometheus text format"},
};
/* clang-format on */

/* Nothing is loaded from elsewhere, no script but the page's own runs, nobody may frame it, and
 * nothing is kept. */
static const struct http_site site = {
    .name = "ops",
    .realm = "Gatepost ops",
    .routes = routes,
    .n_routes = sizeof routes / sizeof *routes,
    .headers = "Cache-Control: no-store\r\n"
               "X-Content-Type-Options: nosniff\r\n"
               "Content-Security-Policy: default-src 'none'; script-src 'self'; "
               "style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
               "form-action 'none'; frame-ancestors 'none'; "
               "require-trusted-types-for 'script'; trusted-types 'none'\r\n"
               "Referrer-Policy: no-referrer\r\n",
};

struct session *ops_session_new(const struct session_env *env)
{
    return http_session_new(env, &site);
}
