/*
 * page.js - draws what /api/overview and /api/tail say.
 *
 * What clients call themselves is on this page, so text becomes text and nothing else: no markup is
 * ever made of a string. The policy that the server sends forbids it besides.
 */
"use strict";

(() => {
const SVG = "http://www.w3.org/2000/svg";
const EVERY_MS = 5000, TAIL_MOST = 200;
const PROTOCOLS = ["pop3", "imap", "mapi", "lmtp", "ops"];
const WINDOWS = {
    hour: {of: "minutes", last: 60, group: 1, says: "the last hour"},
    day: {of: "hours", last: 24, group: 1, says: "the last 24 hours"},
    week: {of: "hours", last: 168, group: 4, says: "the last 7 days"},
};
let shown = "day", latest = null, held = false;

/* ---- making elements ---- */

const $ = id => document.getElementById(id);

function make(name, className, ...children) {
    const e = document.createElement(name);
    if (className)
        e.className = className;
    e.append(...children);
    return e;
}

function draw(name, attributes, ...children) {
    const e = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes))
        e.setAttribute(key, value);
    e.append(...children);
    return e;
}

/* ---- words ---- */

const number = n => n.toLocaleString("en");
const count = (n, one, many) => `${number(n)} ${n === 1 ? one : many}`;
const clock = date => date.toLocaleTimeString("en-GB");
const dayOf = date => date.toLocaleDateString("en-GB", {weekday: "short", day: "numeric", month: "short"});

function moment(date) {
    return Date.now() - date < 20 * 3600 * 1000 ? clock(date) : `${dayOf(date)} ${clock(date)}`;
}

function bytes(n) {
    const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    for (; n >= 1024 && unit < 4; unit++)
        n /= 1024;
    return `${unit ? n.toFixed(1) : n} ${units[unit]}`;
}

function duration(seconds) {
    const days = Math.floor(seconds / 86400), hours = Math.floor(seconds / 3600) % 24,
        minutes = Math.floor(seconds / 60) % 60;
    if (days)
        return `${days} d ${hours} h`;
    return hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min` : `${Math.max(0, Math.floor(seconds))} s`;
}

/* A name as an argument of a command in a shell; what a shell or a terminal could mistake is not offered. */
const quoted = name => /^[\w.@+:\/\\-]+$/.test(name) ? (name.includes("\\") ? `'${name}'` : name) : null;

/* ---- do the protocols agree ---- */

function outcome(o) {
    const good = o.reason === "ok";
    return make("li", good ? "in" : "out",
        make("b", "", `${o.protocol.toUpperCase()} ${good ? "lets in" : "refuses"}`),
        good ? "" : make("span", "", `${o.stage}: ${o.reason}, event ${o.event}`),
        make("small", "", `last ${moment(new Date(o.last))} \u00b7 ${number(o.ok)} in, ${number(o.failed)} refused`));
}

function differingUser(u) {
    const name = quoted(u.user);
    return make("li", "",
        make("p", "name", u.user),
        make("ul", "outcomes", ...[...u.outcomes].sort((a, b) => (a.reason === "ok") - (b.reason === "ok")).map(outcome)),
        name ? make("p", "hint", `gatepost auth explain ${name}`) : "");
}

/* Guesses make a difference too, to whoever's name is tried; what is no guess comes first. */
function isGuess(user) {
    return user.outcomes.every(o => ["ok", "wrong-secret", "back-off"].includes(o.reason));
}

function showDiffering(d) {
    const users = [...d.users].sort((a, b) => isGuess(a) - isGuess(b)).slice(0, 50);
    $("differing").classList.toggle("bad", d.count > 0);
    if (!d.known)
        $("agreement").textContent = "The records cannot be read now.";
    else if (!d.count)
        $("agreement").textContent = "Yes. In the last 24 hours nobody was refused by one protocol whom another lets in.";
    else
        $("agreement").textContent = `No. ${count(d.count, "user is", "users are")} refused by one ` +
            `protocol and let in by another${d.count > users.length ? `; the first ${users.length}:` : "."}`;
    $("users").replaceChildren(...users.map(differingUser));
}

/* ---- over time ---- */

function grouped(list, window) {
    const out = [];
    for (let i = list.length - window.last; i < list.length; i += window.group)
        out.push(list.slice(i, i + window.group).reduce((a, b) => a + b, 0));
    return out;
}

const sum = list => list.reduce((a, b) => a + b, 0);

function bars(ok, refused, startOf, label) {
    const up = Math.max(1, ...ok), down = Math.max(1, ...refused);
    /* One scale for both directions, and room for either according to its share, but never less than a third. */
    const top = Math.max(Math.max(up, down) === down && up < down ? 34 : 66, 34), bottom = 100 - top - 2;
    const scale = Math.min(top / up, bottom / down);
    const svg = draw("svg", {viewBox: `0 0 ${ok.length * 10} 100`, preserveAspectRatio: "none", role: "img",
                             "aria-label": label});
    svg.append(draw("line", {class: "base", x1: 0, x2: ok.length * 10, y1: top + 1, y2: top + 1}));
    ok.forEach((n, i) => {
        const high = n ? Math.max(n * scale, 1.5) : 0, low = refused[i] ? Math.max(refused[i] * scale, 1.5) : 0;
        svg.append(draw("g", {},
            draw("title", {}, `${startOf(i)}: ${number(n)} let in, ${number(refused[i])} refused`),
            draw("rect", {class: "hit", x: i * 10, y: 0, width: 10, height: 100}),
            draw("rect", {class: "in", x: i * 10 + 1.2, y: top - high, width: 7.6, height: high}),
            draw("rect", {class: "out", x: i * 10 + 1.2, y: top + 2, width: 7.6, height: low})));
    });
    return svg;
}

function chart(protocol, history, window) {
    const ok = grouped(history.protocols[protocol].ok, window), refused = grouped(history.protocols[protocol].refused, window);
    const step = history.step * window.group * 1000;
    const first = (history.start + (history.protocols[protocol].ok.length - window.last) * history.step) * 1000;
    const allIn = sum(ok), allOut = sum(refused);
    if (!allIn && !allOut)
        return null;
    const startOf = i => {
        const from = new Date(first + i * step);
        return `${dayOf(from)} ${clock(from).slice(0, 5)}`;
    };
    const c = make("div", "chart",
        make("div", "", make("b", "", protocol), make("p", "", `${number(allIn)} let in`),
            make("p", allOut ? "some" : "", `${number(allOut)} refused`)),
        bars(ok, refused, startOf, `${protocol}: ${allIn} let in, ${allOut} refused in ${window.says}`));
    c.dataset.protocol = protocol;
    return c;
}

function showHistory(all) {
    const window = WINDOWS[shown], history = all[window.of];
    if (!history) {
        $("charts").replaceChildren(make("p", "verdict", "The records cannot be read now."));
        return;
    }
    const charts = PROTOCOLS.map(p => chart(p, history, window)).filter(c => c);
    $("charts").replaceChildren(...(charts.length ? charts : [make("p", "verdict", `Nobody tried to log on in ${window.says}.`)]));
    const to = new Date((history.start + history.protocols.imap.ok.length * history.step) * 1000),
        from = new Date(to - window.last * history.step * 1000), middle = new Date((to.getTime() + from.getTime()) / 2);
    const say = shown === "week" ? dayOf : date => clock(date).slice(0, 5);
    $("axis-from").textContent = say(from);
    $("axis-middle").textContent = say(middle);
    $("axis-to").textContent = "now";
}

/* ---- why ---- */

function reason(r, most) {
    const all = sum(Object.values(r.protocols));
    const by = PROTOCOLS.filter(p => r.protocols[p]).map(p => `${p.toUpperCase()} ${number(r.protocols[p])}`).join(" \u00b7 ");
    return make("div", "reason",
        make("p", "", make("b", "", make("span", "", `${r.stage} / `), r.reason), make("span", "", number(all))),
        draw("svg", {viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true"},
            draw("rect", {class: "out", x: 0, y: 0, width: Math.max(100 * all / most, .5), height: 10})),
        make("small", "", `${by} \u00b7 event ${r.event}`));
}

function showReasons(reasons) {
    const list = (reasons ? reasons[shown] : []).slice();
    const total = r => sum(Object.values(r.protocols));
    list.sort((a, b) => total(b) - total(a));
    $("reasons").replaceChildren(...(list.length ? list.map(r => reason(r, total(list[0])))
        : [make("p", "verdict", `No log-on failed in ${WINDOWS[shown].says}.`)]));
}

/* ---- who must wait ---- */

function waiting(t) {
    const option = t.address ? ["--address", t.address.replace(/\/64$/, "")] : ["--user", t.name];
    const value = quoted(option[1]);
    const whom = t.address ? (t.name ? `${t.name} from ${t.address}` : t.address) : t.name;
    return make("div", "wait",
        make("p", "", make("b", "", whom),
            t.wait_ms ? make("span", "long", `waits ${duration(t.wait_ms / 1000)}`) : make("span", "", "under attack")),
        make("p", "quiet", `${count(t.failures, "wrong secret that still counts", "wrong secrets that still count")}`),
        value ? make("p", "hint", `gatepost auth lift ${option[0]} ${value}`) : "");
}

function showThrottled(t) {
    const n = t.addresses + t.pairs + t.names, list = [...t.list].sort((a, b) => b.wait_ms - a.wait_ms).slice(0, 20);
    const told = [count(t.addresses, "address", "addresses"), count(t.pairs, "name at an address", "names at an address"),
                  count(t.names, "name under attack", "names under attack")].filter(s => !s.startsWith("0 "));
    $("waiting").textContent = n ? told.join(", ") + (n > list.length ? `; the longest ${list.length}:` : ".") : "Nobody.";
    $("throttled").replaceChildren(...list.map(waiting));
}

/* ---- the server ---- */

function table(id, heads, rows) {
    $(id).replaceChildren(
        make("thead", "", make("tr", "", ...heads.map(h => make("th", "", h)))),
        make("tbody", "", ...rows.map(row => make("tr", "", ...row.map(cell => make("td", "", cell))))));
}

function gauge(name, value, bad) {
    return [make("dt", "", name), make("dd", bad ? "bad" : "", value)];
}

function showGauges(all) {
    const g = all.gauges, lost = g.audit_file_lost + g.audit_store_lost;
    const store = "store_used_bytes" in g ? [
        gauge("Store", bytes(g.store_used_bytes)),
        gauge("Messages, distinct", number(g.store_blobs)),
    ] : [];
    const list = [
        gauge("Memory", bytes(g.resident_bytes)),
        gauge("Disk free", bytes(g.disk_free_bytes), g.disk_free_bytes < g.disk_bytes / 20),
        ...store,
        gauge("Records lost", number(lost), lost > 0),
        gauge("Connections refused", number(g.connections_refused), g.connections_refused > 0),
        gauge("TLS failures", number(g.tls_failures)),
        gauge("Open files", number(g.open_fds)),
    ];
    const ends = Math.min(...all.certificates.map(c => c.ends));
    if (all.certificates.length)
        list.push(gauge("Certificate ends in", duration(ends - all.server.now), ends - all.server.now < 14 * 86400));
    $("gauges").replaceChildren(...list.map(pair => make("div", "", ...pair)));
}

function showServer(all) {
    showGauges(all);
    table("connections", ["Listener", "Protocol", "TLS", "Connections", "Logged on"],
        all.connections.map(c => [c.listener, c.protocol, c.tls, number(c.connections), number(c.logged_on)]));
    table("traffic", ["Protocol", "Commands", "Delivered", "Read", "Removed", "Received", "Sent"],
        all.traffic.map(t => [t.protocol, number(t.commands), number(t.delivered), number(t.fetched), number(t.expunged),
                              bytes(t.received_bytes), bytes(t.sent_bytes)]));
}

function showState(s) {
    const why = s.draining ? "Stopping" : s.workers_answering < s.workers ?
        `${s.workers - s.workers_answering} of ${s.workers} workers do not answer` :
        s.store !== "writable" ? `New mail cannot be stored: ${s.store}` : "Ready";
    $("state").textContent = why;
    $("state").className = s.healthy ? "pill good" : "pill bad";
    $("host").textContent = `on ${s.host}`;
    $("facts").textContent = `Version ${s.version}, up ${duration(s.now - s.started)}`;
    document.title = `${s.healthy ? "" : "! "}Gatepost on ${s.host}`;
}

/* ---- asking ---- */

/* What is the same stays as it is: somebody may be about to copy it. */
const drawn = new Map();

function redraw(draws, value) {
    const text = JSON.stringify([shown, value]);
    if (drawn.get(draws) === text)
        return;
    drawn.set(draws, text);
    draws(value);
}

function show() {
    if (!latest)
        return;
    showState(latest.server);
    redraw(showDiffering, latest.differing);
    redraw(showHistory, {minutes: latest.minutes, hours: latest.hours});
    redraw(showReasons, latest.reasons);
    redraw(showThrottled, latest.throttled);
    showServer(latest);
}

async function ask() {
    try {
        const response = await fetch("api/overview");
        if (!response.ok)
            throw new Error(`${response.status}`);
        latest = await response.json();
        show();
    } catch (e) {
        $("state").textContent = "No answer";
        $("state").className = "pill bad";
    }
}

function choose(button) {
    shown = button.dataset.window;
    for (const b of document.querySelectorAll("[data-window]"))
        b.setAttribute("aria-pressed", b === button);
    show();
}

/* ---- as it happens ---- */

function tailRow(r) {
    const kind = r.reason === "lost" ? "lost" : r.result === "ok" && r.reason === "ok" ? "in" : "out";
    const time = new Date(r.time);
    const span = (c, text) => {
        const s = make("span", c, text);
        s.title = text;
        return s;
    };
    return make("li", kind, span("at", clock(time)), span("door", r.protocol), span("who", r.identity || r.name || "\u2013"),
        span("why", kind === "in" ? "let in" : `${r.stage}: ${r.reason}`),
        span("how", `${r.mechanism || "\u2013"}${r.tls ? ` \u00b7 ${r.tls}` : ""}`), span("from", r.client || "a Unix socket"));
}

function addRow(row) {
    if (held)
        return;
    $("tail").prepend(row);
    while ($("tail").childElementCount > TAIL_MOST)
        $("tail").lastElementChild.remove();
}

function follow() {
    const stream = new EventSource("api/tail");
    stream.onopen = () => { $("stream").textContent = "Every attempt to log on, the newest first."; };
    stream.onmessage = event => addRow(tailRow(JSON.parse(event.data)));
    stream.addEventListener("missed", event => addRow(make("li", "lost", `${number(Number(event.data))} more, too fast to show`)));
    stream.onerror = () => {
        $("stream").textContent = "Connecting again";
        if (stream.readyState === EventSource.CLOSED)
            setTimeout(follow, EVERY_MS); /* too many watch already */
    };
}

function toggle(button) {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", on);
    return on;
}

for (const button of document.querySelectorAll("[data-window]"))
    button.addEventListener("click", () => choose(button));
$("only").addEventListener("click", event => $("tail").classList.toggle("only", toggle(event.currentTarget)));
$("pause").addEventListener("click", event => { held = toggle(event.currentTarget); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
setInterval(() => { if (!document.hidden) ask(); }, EVERY_MS);
ask();
follow();
})();
