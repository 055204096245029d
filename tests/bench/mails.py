"""Mail for the benchmark: the same for every server, made by a seeded generator.

Sizes are spread like real mail: 2 to 200 KB, median about 11 KB, mean about 33 KB. A quarter has an
attachment in base64, a quarter is HTML beside plain text, the rest is plain text.
"""
import base64
import math
import random

WORDS = ("mail store folder message letter server client answer question report meeting figure table "
         "quarterly budget review travel project plan harbour bridge window garden river mountain "
         "green yellow silver quick slow early late first second third").split()
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def text(rng, size):
    lines, length = [], 0
    while length < size:
        line = " ".join(rng.choice(WORDS) for _ in range(rng.randint(6, 12)))
        lines.append(line)
        length += len(line) + 2
    return "\r\n".join(lines) + "\r\n"


def size_of(rng):
    return int(min(200_000, max(2_000, math.exp(rng.gauss(math.log(11_000), 1.25)))))


def message(number, seed=1):
    rng = random.Random(seed * 1_000_003 + number)
    size = size_of(rng)
    subject = " ".join(rng.choice(WORDS) for _ in range(4))
    head = (f"Return-Path: <sender{number % 97}@example.org>\r\n"
            f"Received: from mx{number % 5}.example.org by mail.example.com; "
            f"{1 + number % 28} {MONTHS[number % 12]} 2026 10:00:{number % 60:02} +0000\r\n"
            f"Date: {1 + number % 28} {MONTHS[number % 12]} 2026 09:{number % 60:02}:00 +0200\r\n"
            f"From: Sender {number % 97} <sender{number % 97}@example.org>\r\n"
            f"To: User <user@example.com>, \"Other, One\" <other@example.com>\r\n"
            f"Subject: {subject}\r\n"
            f"Message-ID: <{number}.{seed}@example.org>\r\n"
            "MIME-Version: 1.0\r\n")
    kind = rng.randrange(4)
    if kind == 0:
        data = base64.encodebytes(rng.randbytes(max(100, size * 3 // 4 - 600))).decode()
        body = ("--b1\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n" + text(rng, 400) +
                "\r\n--b1\r\nContent-Type: application/pdf; name=\"report.pdf\"\r\n"
                "Content-Disposition: attachment; filename=\"report.pdf\"\r\n"
                "Content-Transfer-Encoding: base64\r\n\r\n" + data.replace("\n", "\r\n") + "--b1--\r\n")
        head += 'Content-Type: multipart/mixed; boundary="b1"\r\n\r\n'
    elif kind == 1:
        half = text(rng, size // 2)
        body = ("--b2\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + half +
                "\r\n--b2\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>" +
                text(rng, size // 2) + "</p></body></html>\r\n--b2--\r\n")
        head += 'Content-Type: multipart/alternative; boundary="b2"\r\n\r\n'
    else:
        body = text(rng, size)
        head += "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
    return (head + body).encode()
