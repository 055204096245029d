"""A mail server of a test's own, SMTP or LMTP: what it answers is what the test says.

    with hop.Hop() as next_hop:
        next_hop.answers["RCPT"] = lambda line: "550 5.1.1 nobody" if "eve@" in line else None
        ...
        (mail,) = next_hop.mails

An answer is a reply, None (all is well), HANG_UP or STALL: the connection is then closed at once, or nothing more is said
on it until the server ends. Asked for are GREETING, the verbs (EHLO and LHLO are HELLO), CONTENT (the first line behind
DATA) and VERDICT (with the recipient, in LMTP for each).
"""
import socketserver
import ssl
import threading

HANG_UP, STALL = object(), object()

GOOD = {"GREETING": "220 next.test", "DATA": "354 go on", "VERDICT": "250 2.0.0 taken", "QUIT": "221 bye"}


class Ended(Exception):
    """There is no more to say on this connection."""


class Mail:
    def __init__(self, sender, recipients, data):
        self.sender, self.recipients, self.data = sender, recipients, data


class Handler(socketserver.StreamRequestHandler):
    def setup(self):
        if self.server.hop.tls == "implicit":
            self.request = self.server.hop.wrap(self.request)
        super().setup()

    def handle(self):
        try:
            self.ask("GREETING", "")
            self.envelope = ["", []]
            while line := self.rfile.readline():  # another one behind STARTTLS
                self.command(line.decode().rstrip("\r\n"))
        except (Ended, ConnectionError, ssl.SSLError):
            pass

    def start_tls(self):
        self.connection = self.request = self.server.hop.wrap(self.request)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)

    def ask(self, what, line, good=None):
        hop = self.server.hop
        hop.said.append((what, line))
        reply = hop.answers.get(what, lambda _: None)(line)
        if reply is STALL:
            hop.stalled.set()
            hop.ended.wait()
        if reply in (HANG_UP, STALL):
            raise Ended
        reply = reply or good or GOOD.get(what, "250 2.0.0 good")
        self.wfile.write(reply.encode() + b"\r\n")
        return reply[0] in "23"

    def command(self, line):
        verb = line.split(" ")[0].upper()
        if verb in ("EHLO", "LHLO"):
            self.ask("HELLO", line, "\r\n".join(["250-next.test"] + [f"250-{e}" for e in self.server.hop.extensions]
                                                 + ["250 X-END"]))
        elif verb == "DATA":
            if self.ask("DATA", line):
                self.content()
        else:
            accepted = self.ask(verb, line)
            if accepted and verb == "MAIL":
                self.envelope = [line, []]
            elif accepted and verb == "STARTTLS":
                self.start_tls()
            elif accepted and verb == "RCPT":
                self.envelope[1].append(line[line.index("<") + 1:line.index(">")])
        if verb == "QUIT":
            raise Ended

    def content(self):
        hop, lines = self.server.hop, []
        for line in self.rfile:
            if not lines:
                reply = hop.answers.get("CONTENT", lambda _: None)(line)
                if reply is HANG_UP:
                    raise Ended
                if reply is STALL:
                    hop.stalled.set()
                    hop.ended.wait()
                    raise Ended
            if line == b".\r\n":
                break
            lines.append(line[1:] if line.startswith(b".") else line)
        else:
            raise Ended
        sender, recipients = self.envelope
        mail = Mail(sender, [], b"".join(lines))
        for recipient in recipients if hop.lmtp else [", ".join(recipients)]:
            if self.ask("VERDICT", recipient):
                mail.recipients += [recipient] if hop.lmtp else recipients
        if mail.recipients:
            hop.mails.append(mail)
            hop.got.set()


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a handshake that the client breaks off

    allow_reuse_address = True


class Hop:
    def __init__(self, lmtp=False, extensions=("PIPELINING", "8BITMIME"), port=0, tls=None, certificate=None):
        """`tls` is "implicit", or anything else with STARTTLS among the extensions; `certificate` a pair of files."""
        self.lmtp, self.extensions, self.port = lmtp, extensions, port
        self.tls, self.certificate = tls, certificate
        self.mails, self.said, self.answers = [], [], {}
        self.got, self.stalled, self.ended = threading.Event(), threading.Event(), threading.Event()

    def __enter__(self):
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.server.hop = self
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def wrap(self, connection):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificate)
        return context.wrap_socket(connection, server_side=True)

    @property
    def url(self):
        return f"{'lmtp' if self.lmtp else 'smtps' if self.tls == 'implicit' else 'smtp'}://127.0.0.1:{self.port}"

    def lines(self, what):
        return [line for asked, line in self.said if asked == what]
