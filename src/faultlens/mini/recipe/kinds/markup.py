"""Random short pieces of markup and data: links, HTML, Markdown, mail, JSON, paths, log lines."""

import random
from collections.abc import Callable

from faultlens.mini.recipe.kinds.templates import fill

R = random.Random
NOUNS, PLACES, PEOPLE, TOPICS = map(
    str.split,
    (
        "page item user name file image list map post shop news book home note list menu form table "
        "cart order photo video song game team city food tree river key box color card link event",
        "blue-river green-hill old-town open-book red-fox quick-shop north-star my-notes city-news",
        "anna ben cara dan emma finn gina hugo iris jack kate leo mia noah olga paul rosa sam tina",
        "big small new old red blue green open free first last daily best good fast full dark light",
    ),
)
ENDS = ["txt", "py", "html", "json", "csv", "png", "md", "log", "tar.gz", "yml", "pdf"]
ROOTS = ["/home/anna", "/home/leo", "/var/log", "/usr/local/share", "src", "/etc", "/tmp", "docs"]
LEVELS = ["INFO", "WARN", "ERROR", "DEBUG", "info", "error", "[warn]", "<notice>"]
# $n noun, $t describing word, $p person, $d domain, $i small number, $b big number, $h hex digits,
# $u path of a link, $l whole link, $q query, $e mail address, $w a few words, $D date, $T time,
# $f file name, $F file path, $c color, $L log level, $a IP address, $j JSON, $y YAML, $x HTML.
# $N and $A: a noun and a describing word, the same all through a document.
SHAPES = (
    "$l\n$l\n⟨$l¦$l\n$l⟩",
    "⟨See¦Go to¦Read¦Open⟩ $l ⟨for¦about⟩ $w⟨.¦, or write to $e.¦ (page $i).¦ and $l for more.⟩",
    "⟨GET¦POST¦PUT¦DELETE⟩ $u⟨?$q¦⟩ HTTP/1.1\nHost: $d\n⟨User-Agent: $n/$i.$i\n¦Accept: "
    "text/html\n¦Cookie: $n=$h; $n=$h\n⟩⟨Authorization: Bearer $h¦Content-Length: $b\n\n$q¦"
    "Connection: close⟩",
    "HTTP/1.1 ⟨200 OK¦404 Not Found¦301 Moved Permanently\nLocation: $l¦500 Internal Server Error⟩"
    '\nContent-Type: ⟨text/html; charset=utf-8¦application/json\n\n$j¦image/png⟩\n⟨ETag: "$h"¦'
    "Set-Cookie: $n=$h; Path=$u¦Date: $D $T GMT⟩",
    '<!DOCTYPE html>\n<html lang="⟨en¦de¦fr⟩">\n<head>\n  <title>$w</title>\n⟨  <meta '
    'charset="utf-8">\n¦  <link rel="stylesheet" href="$u.css">\n¦  <script src="'
    '$u.js"></script>\n⟩</head>\n<body>\n  $x\n</body>\n</html>',
    "$x\n⟨$x¦<!-- $w -->¦<br>¦<hr/>⟩\n$x",
    '<table⟨¦ class="$n"¦ border="$i"⟩>\n  <tr><th>$n</th><th>$n</th></tr>\n  <tr><td>⟨$w¦$p⟩'
    "</td><td>$i</td></tr>\n⟨  <tr><td>$w</td><td>$b</td></tr>\n¦⟩</table>",
    '<form action="$u" method="⟨get¦post⟩">\n  <label for="$n">$w</label>\n  <input type="⟨text¦'
    'email¦password¦number¦checkbox⟩" name="$n"⟨ required¦ value="$w"¦ placeholder="$e"⟩>\n  '
    '<button⟨ type="submit"¦⟩>$t</button>\n</form>',
    '<ul⟨¦ id="$n"⟩>\n  <li><a href="⟨$l¦$u¦#$n¦mailto:$e⟩">$w</a></li>\n  <li>$x</li>\n⟨  '
    "<li><b>$t</b> $n</li>\n¦⟩</ul>",
    '<svg width="$b" height="$b">\n  <⟨circle cx="$i" cy="$i" r="$i"¦rect x="$i" y="$i" width="'
    '$b"¦path d="M $i $i L $i $b Z"¦line x1="$i" y1="$i" x2="$b"⟩ fill="$c"/>\n  <text x="$i">'
    "$w</text>\n</svg>",
    "⟨#¦##¦###⟩ $w\n\n⟨-¦*¦1.⟩ [$w](⟨$l¦$u¦$f⟩)\n⟨-¦*¦2.⟩ ⟨**$t** $n¦`$f`¦~~$w~~¦[x] $w¦_$w_⟩\n\n"
    "⟨> $w¦![$w]($u.png)¦---¦See [$n][$i].\n\n[$i]: $l⟩",
    "| $n | $n |\n|---|⟨---:¦:---⟩|\n| $w | $i |\n| [$t]($u) | $b |\n⟨| `$f` | **$i** |¦| $p | $e "
    "|⟩",
    "```⟨json\n$j¦html\n$x¦yaml\n$n:\n  $y¦sh\ncurl $l⟩\n```\n\n⟨Then see [$w]($l).¦The `$n` is "
    "**$t**.[^$i]¦#### $w⟩",
    "From: $p <$e>\nTo: $e\n⟨Cc: $e, $e\n¦Reply-To: $e\n¦⟩⟨Date: $D $T\n¦⟩Subject: ⟨Re: ¦Fwd: ¦⟩"
    "$w\n\nHi $p,\n⟨see $l¦the $n is in $F¦send it to $e⟩",
    '⟨mailto:$e?subject=$t%20$n¦$e; $e¦"$p" <$e>, $e⟩\n⟨tel:+$b-$b-$b¦ftp://$d$u¦file://$F¦'
    "data:text/plain;base64,$h==¦git@$d:$p/$n.git¦ssh://$p@$d:$b¦ws://$d:$b$u⟩\n$l",
    "$l?$q&$q\n⟨utm_source=$n&utm_campaign=$w¦$q;$q¦?$q%20$t&$q¦redirect=https%3A%2F%2F$d%2F$n⟩",
    '$j\n⟨$j¦{"id": "$h", "$n": $j}¦[$j, $j]⟩',
    '{\n  "$n": $j,\n  "url": "⟨$l¦$u⟩",\n  "$n": ⟨["$t", "$w"]¦$b¦$j¦null¦"$e"⟩\n}',
    "$n:\n  $y\n$n:\n  - ⟨$w\n  - $l¦name: $w\n    $y¦$f\n  - $F¦{$n: $i, $n: $t}⟩\n⟨# $w¦---¦$n: "
    "&$t $i⟩",
    "⟨.$n¦#$n¦body¦a:hover¦$n > .$t¦@media (max-width: $bpx)⟩ {\n  color: $c;\n  ⟨margin: $ipx "
    "auto¦padding: $iem $iem¦font-size: $ipx¦width: $i%¦background: url($u.png)¦border: $ipx "
    "solid $c¦display: ⟨flex¦none¦block¦grid⟩⟩;\n}\n.$t⟨::before¦⟩ { ⟨top: $ipx¦color: rgb($b, "
    "$b, $i)¦opacity: 0.$i⟩; }",
    '<?xml version="1.0"⟨ encoding="UTF-8"¦⟩?>\n<$Ns>\n  <$A id="$i">⟨$w¦$l¦<![CDATA[$w]]>¦$D⟩</$A>'
    "\n</$Ns>",
    "<item>\n  <title>$w</title>\n  <link>$l</link>\n  ⟨<pubDate>$D $T</pubDate>¦<guid>$h</guid>¦"
    "<author>$e</author>⟩\n</item>",
    "$F\n$F\n⟨$F\n¦C:\\Users\\$p\\$n\\$f\n⟩⟨../$n/$f¦~/.$n/$f¦./$n-$i/⟩",
    "⟨drwxr-xr-x¦-rw-r--r--⟩ $i $p $n $b $D $f\n-rw-r--r-- $i $p $n $b $D $f\n⟨lrwxrwxrwx $i $p "
    "$n $b $n -> $F¦total $b⟩",
    "$D $T $L ⟨$n: ¦[$n-$i] ¦$f:$b ⟩$w\n$D $T $L ⟨user=$p id=$i¦$n=$t time=$bms¦$l⟩\n$D $T $L ⟨$n "
    "failed: $w¦done in $is¦can not open $F⟩",
    '$a - ⟨-¦$p⟩ [$D:$T] "⟨GET¦POST⟩ $u⟨?$q¦⟩ HTTP/1.⟨0¦1⟩" ⟨200¦404¦302¦500⟩ $b\n$a - - [$D:$T] '
    '"GET $u" ⟨200¦304⟩ $b⟨ "$l"¦⟩',
    '[$n]\n$n = ⟨$w¦"$t"¦$i¦true⟩\npath = $F\n⟨; $w\n¦# $w\n¦⟩\n[$n⟨.$t¦⟩]\n⟨host = $a\nport = $b¦'
    'url = "$l"¦email = $e⟩',
    '$n,$n,$n\n$p,$i,$t\n$p,$b,⟨"$w"¦$D⟩\n$p,$i,⟨$e¦$t⟩\n⟨$p,,$t¦$p;$i;$b⟩',
    "⟨$ ¦⟩curl ⟨-X POST -d '$q'¦-O¦-H \"Accept: $t/$n\"¦-s⟩ $l\n⟨$ ¦⟩⟨cp $F $F¦mkdir -p $n/$t¦"
    'grep "$t" $f | wc -l¦git clone https://$d/$p/$n.git¦export $t_$n=$F⟩\n⟨# $w¦cat $f⟩',
    "User-agent: ⟨*¦$n-bot⟩\n⟨Disallow¦Allow⟩: $u\nDisallow: $u\n⟨Crawl-delay: $i\n¦⟩Sitemap: "
    "https://$d/$n.xml",
)


def path(r: R) -> str:
    """The path of a link."""
    parts = [
        r.choice([n, n, f"{r.choice(TOPICS)}-{n}", str(r.randint(1, 2030))])
        for n in r.choices(NOUNS, k=r.randint(1, 3))
    ]
    return "/" + "/".join(parts)


def domain(r: R) -> str:
    """A made-up host name."""
    name = r.choice([r.choice(PLACES), "example", f"{r.choice(TOPICS)}{r.choice(NOUNS)}"])
    sub = r.choice(["", "", "www.", "api.", "img.", f"{r.choice(NOUNS)}."])
    return f"{sub}{name}.{r.choice(['com', 'org', 'net', 'example', 'test', 'io', 'de'])}"


def query(r: R) -> str:
    """A query string."""
    t, n = r.choice(TOPICS), r.choice(NOUNS)
    values = [str(r.randint(0, 99)), t, f"{t}+{n}", f"{t}%20{n}", "true"]
    keys = r.sample(["q", "id", "page", "sort", "lang", "v", "user", "tag"], r.randint(1, 3))
    return "&".join(f"{key}={r.choice(values)}" for key in keys)


def link(r: R) -> str:
    """A whole link."""
    start = r.choice(["https://", "https://", "http://", "https://", "www.", "//"]) + domain(r)
    port = r.choice(["", "", "", f":{r.randint(80, 9000)}"])
    end = r.choice(["", "/", f"#{r.choice(NOUNS)}", f"?{query(r)}", ".html", f".php?{query(r)}"])
    return f"{start}{port}{path(r)}{end}".replace("www.www.", "www.")


def json(r: R, depth: int = 2) -> str:
    """A nested JSON value."""
    kind = r.randint(0, 3) if depth else 3
    items = [json(r, depth - 1) for _ in range(r.randint(1, 3))] if kind < 3 else []
    if kind < 2:
        return "{" + ", ".join(f'"{r.choice(NOUNS)}": {item}' for item in items) + "}"
    one = r.choice([str(r.randint(0, 999)), f'"{r.choice(TOPICS)}"', "true", "null", "1.5"])
    return f"[{', '.join(items)}]" if items else one


def html(r: R, depth: int = 2) -> str:
    """A nested HTML element."""
    tag = r.choice(["div", "p", "span", "h1", "h2", "b", "em", "section", "a", "nav", "code"])
    attr = r.choice(["", "", f' class="{r.choice(TOPICS)}"', f' id="{r.choice(NOUNS)}"'])
    attr = f' href="{r.choice([path(r), link(r)])}"' if tag == "a" else attr
    inner = html(r, depth - 1) if depth and r.random() < 0.5 else words(r)
    image = f'<img src="{path(r)}.png" alt="{words(r)}">'
    more = r.choice(["", "", html(r, 0), image]) if depth else ""
    return f"<{tag}{attr}>{inner}{more}</{tag}>"


def words(r: R) -> str:
    """A few plain words."""
    n, m, t, p = r.choice(NOUNS), r.choice(NOUNS), r.choice(TOPICS), r.choice(PEOPLE)
    return r.choice(
        [
            f"{t} {n}",
            f"the {t} {n}",
            f"{n} and {m}",
            f"{p} has the {t} {n}",
            f"the {n} for {p}",
            f"{n} {r.randint(1, 99)}",
            f"no {n} here",
            f"{p}'s {n}",
            f"{t.title()} {n.title()}s",
        ]
    )


def stamp(r: R) -> str:
    """A date."""
    y, m, d = r.randint(1995, 2025), r.randint(1, 12), r.randint(1, 28)
    name = "JanFebMarAprMayJunJulAugSepOctNovDec"[3 * m - 3 : 3 * m]
    return r.choice([f"{y}-{m:02}-{d:02}", f"{d:02}/{name}/{y}", f"{name} {d}", f"{y}/{m:02}/01"])


def yaml(r: R) -> str:
    """A YAML pair."""
    value = [words(r), f'"{words(r)}"', str(r.randint(0, 99)), json(r, 1), "yes", "~", link(r)]
    return f"{r.choice(NOUNS)}: {r.choice(value)}"


def file(r: R) -> str:
    """A file name."""
    n = r.choice(NOUNS)
    name = r.choice([n, f"{r.choice(TOPICS)}_{n}", f"{n}{r.randint(1, 9)}"])
    return f"{name}.{r.choice(ENDS)}"


def mail(r: R) -> str:
    """A mail address."""
    tail = r.choice(["", "", f".{r.choice(NOUNS)}", str(r.randint(1, 99))])
    return f"{r.choice(PEOPLE)}{tail}@{domain(r).removeprefix('www.')}"


def _fields(r: R) -> dict[str, Callable[[], str]]:
    pick = r.choice
    return {
        "N": pick(NOUNS).__str__,
        "A": pick(TOPICS).__str__,
        "n": lambda: pick(NOUNS),
        "t": lambda: pick(TOPICS),
        "p": lambda: pick(PEOPLE),
        "d": lambda: domain(r),
        "u": lambda: path(r),
        "l": lambda: link(r),
        "q": lambda: query(r),
        "i": lambda: str(r.randint(1, 20)),
        "b": lambda: str(r.randint(100, 999)),
        "h": lambda: f"{r.getrandbits(pick([16, 32, 48])):x}",
        "e": lambda: mail(r),
        "w": lambda: words(r),
        "D": lambda: stamp(r),
        "f": lambda: file(r),
        "F": lambda: f"{pick(ROOTS)}{path(r)}/{file(r)}",
        "T": lambda: f"{r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}",
        "c": lambda: pick(["red", "blue", "#fff", f"#{r.getrandbits(24):06x}", "green", "white"]),
        "L": lambda: pick(LEVELS),
        "j": lambda: json(r),
        "y": lambda: yaml(r),
        "x": lambda: html(r),
        "a": lambda: ".".join(str(r.randint(1, 254)) for _ in range(4)),
    }


def markup(rng: random.Random) -> str:
    """One short random piece of markup or data."""
    while True:
        text = fill(rng, rng.choice(SHAPES), _fields(rng))
        if 60 <= len(text) <= 350:
            return text
