"""Random short pieces of Python source: functions, classes, loops, tests, scripts, data code."""

import random
from collections.abc import Callable
from textwrap import indent

from faultlens.mini.recipe.kinds.templates import fill

R = random.Random
NOUNS, VERBS, MODS, WORDS = map(
    str.split,
    (
        "item value name line word count total score user price size index node key text data row "
        "path page color city event task order point box token step rate result message number group "
        "level board card ship tree letter date left right parent child image record state",
        "get make find load save read write count add check parse build send update merge sort clean "
        "move open close split join draw run start stop print test show filter",
        "json os sys re math time random csv shutil logging itertools functools datetime",
        "red blue green small big new old first last open done ready empty wrong missing",
    ),
)
TYPES = ["int", "str", "float", "bool", "list[int]", "list[str]", "dict[str, int]", "str | None"]
ERRORS = ["ValueError", "KeyError", "TypeError", "IndexError", "OSError", "RuntimeError"]


def noun(r: R) -> str:
    """A variable name."""
    a, b = r.sample(NOUNS, 2)
    one = f"{r.choice(WORDS)}_{a}"
    return r.choice([a, a, a, b + "s", f"{a}_{b}", one, f"{a}{r.randint(1, 3)}"])


def verb(r: R) -> str:
    """A function name."""
    return f"{r.choice(['', '', '_'])}{r.choice(VERBS)}_{r.choice(NOUNS)}{r.choice(['', 's'])}"


def cls(r: R) -> str:
    """A class name."""
    tail = r.choice(["", "", "List", "Reader", "Error", "Store", "Base", "View"])
    return (r.choice(WORDS + NOUNS) + " " + r.choice(NOUNS)).title().replace(" ", "") + tail


def names(r: R, n: int) -> list[str]:
    """Several different variable names."""
    return r.sample(NOUNS, n)


def num(r: R) -> str:
    """A number literal."""
    return r.choice([f"{r.randint(0, 12)}", f"{r.randint(10, 999)}", f"{r.random() * 9:.1f}"])


def string(r: R) -> str:
    """A string literal."""
    body = r.choice([r.choice(WORDS), r.choice(NOUNS), f"{r.choice(WORDS)} {r.choice(NOUNS)}"])
    return f'"{body}"' if r.random() < 0.75 else f"'{body}'"


def expr(r: R, env: list[str], depth: int = 2) -> str:
    """A random expression over the names in `env`."""
    v = r.choice(env)
    if depth <= 0 or r.random() < 0.2:
        return r.choice([v, v, v, num(r), f"{v}[{r.randint(-1, 3)}]", f"{v}.{r.choice(NOUNS)}"])
    a, b = expr(r, env, depth - 1), expr(r, env, depth - 1)
    op = r.choice(["+", "-", "*", "/", "//", "%", "+", "*"])
    forms = [
        f"{a} {op} {b}",
        f"({a} {op} {b})",
        f"{r.choice(['len', 'sum', 'abs', 'int'])}({v})",
        f"max({a}, {b})",
        f"{verb(r)}({a})",
        f"{v}.get({string(r)}, {num(r)})",
        f"{v}[1:]",
        f"({a} if {cond(r, env)} else {b})",
        f"{v}.{r.choice(['strip', 'lower', 'copy'])}()",
    ]
    return r.choice(forms)


def cond(r: R, env: list[str]) -> str:
    """A random condition."""
    a, b = r.choice(env), r.choice(env)
    op = r.choice(["<", ">", "==", "!=", "<=", ">="])
    forms = [
        f"{a} {op} {num(r)}",
        f"{a} {op} {expr(r, env, 1)}",
        f"not {a}",
        f"{a} is None",
        f"{a} in {b}",
        f"len({a}) {op} {r.randint(0, 9)}",
        f"{a} % {r.randint(2, 9)} == 0",
        f"isinstance({a}, {r.choice(['int', 'str', 'list', 'dict'])})",
        f"{a}.startswith({string(r)})",
        f"{a} > {num(r)} and {b} < {num(r)}",
        f"{a} or not {b}",
    ]
    return r.choice(forms)


def stmt(r: R, env: list[str], depth: int = 1) -> str:
    """A random statement, perhaps with a block inside."""
    v, e = r.choice(env), expr(r, env)
    forms = [
        f"{v} = {e}",
        f"{v} {r.choice(['+=', '-=', '*='])} {expr(r, env, 1)}",
        f"print({v})",
        f"{v}.append({expr(r, env, 1)})",
        f"{verb(r)}({v}, {num(r)})",
        f"{v}[{num(r)}] = {e}",
        f'print(f"{r.choice(NOUNS)}: {{{v}}}")',
        f"{v} = [{string(r)}, {string(r)}]",
        f"del {v}[0]",
    ]
    if depth > 0 and r.random() < 0.4:
        inner = indent(stmt(r, env, depth - 1), "    ")
        other = indent(stmt(r, env, 0), "    ")
        forms = [
            f"if {cond(r, env)}:\n{inner}",
            f"if {cond(r, env)}:\n{inner}\nelse:\n{other}",
            f"for i in range({num(r).split('.')[0]}):\n{inner}",
            f"while {cond(r, env)}:\n{inner}",
            f"for {v[0]} in {v}:\n{inner}",
            f"if {v}:\n{inner}\nelif {cond(r, env)}:\n{other}",
        ]
    return r.choice(forms)


def literal(r: R, depth: int = 2) -> str:
    """A nested literal."""
    kind = r.randint(0, 5) if depth > 0 else 3
    items = [literal(r, depth - 1) for _ in range(r.randint(1, 4))] if kind < 3 else []
    if kind < 2:
        return "{" + ", ".join(f'"{r.choice(NOUNS)}": {item}' for item in items) + "}"
    if kind == 2:
        return r.choice(["[{}]", "({},)"]).format(", ".join(items))
    return r.choice([num(r), string(r), r.choice(["True", "False", "None"])])


# $a to $d: names, the same all through.  $E expression, $C condition, $S string, $N number,
# $I whole number, $L literal, $B block, $X statement, $V function, $K class, $T type, $R error,
# $M module, $W word, $U any name, $D docstring.
DOC = (
    '"""⟨Return¦Find¦Make¦Check¦Read¦Count¦Add¦Move¦Save⟩ ⟨the¦a¦each¦every⟩ $W $a'
    '⟨¦¦ of the $b¦ in a $c¦, or None¦ and its $b¦ from $b to $c⟩."""'
)
SHAPES = (
    "⟨¦¦@$V\n¦@cache\n¦@$a.$V($S)\n⟩def $V(⟨$a¦$b, $a¦$a, $b=$N¦$a: $T¦$a: $T, $b: $T⟨¦ = $N⟩¦$a, "
    "*args¦$b, $a, **options⟩)⟨¦ -> $T⟩:\n\t⟨¦$D\n\t⟩$B\n\treturn $E",
    "def $V($a, $b=$N):\n\t⟨$D¦$X⟩\n\tif $C:\n\t\treturn ⟨None¦$E⟩\n\treturn $E\n\n\nprint($V($N))",
    "class $K⟨¦($K)⟩:\n\t⟨¦$D\n\n\t⟩def __init__(self, $a, $b):\n\t\tself.$a = ⟨$a¦$E⟩\n\t\tself."
    "$b = $b\n\n\tdef $V(self⟨¦, $c⟩):\n\t\t⟨return self.$a.$U¦self.$b ⟨+¦-⟩= $E¦$B⟩",
    "class $K:\n\t$a = $L\n\n\t@⟨property¦cached_property⟩\n\tdef $b(self):\n\t\treturn ⟨self._$a¦"
    "$E⟩\n\n\t@⟨static¦class⟩method\n\tdef $V($c):\n\t\t$X\n\t\treturn $c",
    "class $K:\n\tdef __⟨len¦hash¦repr¦iter¦bool¦str⟩__(self):\n\t\treturn ⟨len¦repr¦iter¦str⟩"
    "(self.$a)\n\n\tdef __⟨eq¦add¦lt¦mul¦contains⟩__(self, other):\n\t\treturn self.$a ⟨==¦+¦<¦*⟩ "
    "other.$a",
    "⟨from dataclasses import dataclass\n\n\n¦⟩@dataclass⟨¦(frozen=True)¦(slots=True)⟩\nclass "
    "$K:\n\t⟨¦$D\n\n\t⟩$a: $T\n\t$b: $T⟨¦ = $N¦ = $S⟩\n⟨¦\t$c: list[$K] = "
    "field(default_factory=list)\n⟩⟨¦\n\tdef $V(self) -> $T:\n\t\treturn self.$a⟩",
    "class $K(⟨Enum¦str, Enum¦IntEnum¦Flag⟩):\n\t⟨¦$D\n\n\t⟩RED = $N\n\tOPEN = $S\n\tLAST = ⟨$N¦"
    "auto()¦RED | 2⟩\n\n\n⟨$a = $K.OPEN¦for $b in $K:\n\tprint($b.name, $b.value)⟩",
    "class $K(⟨TypedDict¦NamedTuple¦Protocol⟩):\n\t$a: $T\n\t$b: $T\n\t$c: ⟨$T¦$K⟩\n\n\n$d: $K = "
    "$K($L, $b=$L)",
    "$a = ⟨0¦[]¦{}¦1¦None¦set()⟩\nfor ⟨$b in $c¦i, $b in enumerate($c)¦$b in sorted($c, key=len)¦"
    "$b, $c in $d.items()¦$b in range($I, $I)¦$b, $c in zip($as, $cs)¦$b in reversed($c)⟩:\n\t⟨¦"
    "if $C:\n\t\t⟨continue¦break⟩\n\t⟩$B\n⟨print($a)¦else:\n\t$a = None¦assert $C⟩",
    "for $a in range($I):\n\tfor $b in ⟨range($a)¦$a.$b¦$c[$a]⟩:\n\t\t⟨$X¦if $C:\n\t\t\t$X¦$d["
    "$a][$b] = $E⟩\n\t$X",
    "$a, $b = $N, $N\nwhile ⟨True¦$C¦$a < $b⟩:\n\t$B\n\t⟨if $C:\n\t\tbreak¦$a += $I¦$a, $b = $b, "
    "$a + $b⟩\nprint($a)",
    "$a = [$E for $b in $c⟨¦ if $C⟩]\n$b = ⟨sum¦max¦any¦list⟩($E for $c in ⟨range($I)¦$d.split()¦"
    "$a⟩)\n⟨$c = {$b: $E for $b in $a}\n¦⟩$d = ⟨{$a for $a in $b}¦[[$E for $a in $b] for $b in "
    "$c]¦{v: k for k, v in $a.items()}⟩",
    "try:\n\t$B\nexcept ⟨$R¦$R as error¦($R, $R)⟩:\n\t⟨$a = None¦raise $R($S) from None¦print($S)¦"
    "pass⟩⟨¦\nfinally:\n\t$a.close()¦\nelse:\n\t$X¦\nexcept $R:\n\t$X⟩",
    'if ⟨not isinstance($a, $T)¦$C⟩:\n\traise $R(⟨$S¦f"$W $a: {$a!r}"⟩)\nif $C:\n\t⟨log¦logging¦'
    "warnings⟩.⟨warn¦info⟩($S)\n$B",
    'with open(⟨"$a.⟨txt¦csv¦json⟩"¦$a_path⟩⟨¦, "w"¦, "rb"⟩) as $b:\n\t⟨$b.write($E)¦for line in '
    "$b:\n\t\t$c = line.strip()\n\t\t$X¦$c = json.load($b)¦$c = [int(x) for x in $b]¦rows = "
    "list(csv.reader($b))⟩\n$B",
    'from pathlib import Path\n\n$a = Path($S)⟨ / $S¦⟩\nfor $b in ⟨sorted($a.glob("*.⟨py¦txt¦md⟩'
    '"))¦$a.iterdir()⟩:\n\t⟨$c = $b.read_text()\n\t$X¦if $b.⟨is_file¦exists⟩():\n\t\t$b.unlink()¦'
    "print($b.⟨stem¦name¦parent⟩)⟩",
    "import $M\n⟨import $M\n¦⟩⟨import $U as $a¦from $U import $V¦from .$U import $K, $V¦from "
    "collections import Counter⟩\nfrom $b.$U import ⟨$K¦$V as $V⟩\n\n⟨$W_$a¦DEFAULT¦LIMIT¦__all__⟩"
    " = $L\n$X",
    'print(f"$a {$b⟨¦:.2f¦:>8¦!r¦:,¦=⟩} $W {$c}")\n$d = ⟨f"{$a}/{$b}"¦"$W: %s" % $b¦"{} $W '
    '{}".format($b, $N)⟩\n$a = ⟨"-"¦", "¦""¦" "⟩.join(⟨str($b) for $b in $c¦$c⟩)\n$b = '
    "$a.⟨replace($S, $S)¦split($S)¦upper()¦title()¦find($S)⟩[$I:]",
    "$a.sort(key=lambda $b: $E)\n$c = ⟨list(map(lambda $b: $E, $a))¦sorted($a, reverse=True)¦"
    "$a[::-1]¦filter(lambda $b: $C, $a)⟩\n⟨$a, *$b = $c¦$a, $b = $b, $a¦best = max($c, key=lambda "
    "$d: $E)¦$d = reduce(lambda x, y: x ⟨+¦*⟩ y, $c)⟩",
    '$a = {\n\t"$U": $L,\n\t"$U": $L,\n⟨¦\t$S: [$E, $E],\n¦\t**$b,\n⟩}\n⟨$a[$S] = $L¦$a.update('
    "$b)¦print($a.get($S))⟩",
    "$a = [\n\t($L, $L),\n\t($L, $L),\n]\n$b = $a⟨[0][1]¦[-1]¦[1:]⟩\n⟨$c = dict($a)¦$a.extend($L "
    "for _ in $b)¦$a += [$E]⟩",
    "⟨import asyncio\n\n\n¦⟩async def $V($a, $b⟨¦=None⟩):\n\t⟨async with $V($a) as $c:\n"
    "\t\treturn await $c.$V()¦async for $c in $a:\n\t\t$X¦await asyncio.sleep($N)\n\t$X¦$b = "
    "await asyncio.gather(*($V(x) for x in $a))⟩⟨¦\n\n\nasyncio.run($V($N, $N))⟩",
    "def $V($a⟨¦, $b⟩):\n\t⟨$D\n\t¦⟩$b = $N\n\tfor $c in $a:\n\t\t⟨if $C:\n\t\t\tyield $c¦yield "
    "$E¦yield $b, $c¦$b += 1\n\t\tyield from $c⟩\n\n\n$d = ⟨list¦sum¦next¦tuple⟩($V($L))",
    '⟨import pytest\n\n\n¦⟩⟨¦@pytest.mark.parametrize("$b", [$N, $N])\n¦@pytest.fixture\n⟩def '
    'test_$U($b):\n\t$a = $V($L)\n\tassert ⟨$a == $L¦$C¦len($a) == $I¦"$W" in $a⟩\n\t⟨with '
    "pytest.raises($R):\n\t\t$V($S)¦assert $C, $S¦assert $E == $E⟩",
    "import numpy as np\n\n$a = np.⟨array([[$I, $I], [$I, $I]])¦zeros(($I, $I))¦arange($I)¦ones("
    "$I)⟩\n$b = $a.⟨T @ $a¦mean(axis=$I)¦reshape(-1, $I)¦sum()¦argmax(axis=0)⟩\n$c = np.⟨sqrt¦exp¦"
    "abs¦dot¦where⟩($a ⟨*¦+¦>⟩ $N)\n⟨print($b.shape)¦$c[$a > $N] = 0¦$d = $a[:, $I]⟩",
    'import pandas as pd\n\ndf = pd.⟨read_csv("$a.csv")¦DataFrame({"$b": [$I, $I], "$c": [$S, '
    '$S]})⟩\ndf["$d"] = df["$b"] ⟨+¦*¦-⟩ $N\n⟨df = df[df["$b"] > $I]¦print(df.groupby("$c")["'
    '$b"].mean())¦df.to_csv("$W.csv")⟩\n⟨df.head($I)¦$a = df.sort_values("$c")¦df.dropna()⟩',
    "import argparse\n\nparser = argparse.ArgumentParser(⟨¦description=$S⟩)\n"
    'parser.add_argument("⟨--⟩$a", ⟨type=int, ¦⟩default=$N)\n⟨parser.add_argument("-$I", help='
    "$S)\n¦⟩args = parser.parse_args()\n⟨print(args.$a)¦$V(args.$a, $N)¦if args.$a:\n\t$X⟩",
    "def main()⟨¦ -> None¦ -> int⟩:\n\t$B\n\t⟨return $I¦$V(sys.argv[1])¦sys.exit($I)⟩\n\n\nif "
    '__name__ == "__main__":\n\tmain()',
    "def $V(func):\n\t⟨@wraps(func)\n\t¦⟩def wrapper(*args, **kwargs):\n\t\t$X\n\t\t⟨return "
    "func(*args, **kwargs)¦$a = func(*args)\n\t\treturn $a⟩\n\n\treturn wrapper⟨¦\n\n\n@$V\ndef "
    "$V():\n\t$X⟩",
    'match $a:\n\tcase ⟨$I¦$S¦[]¦None⟩:\n\t\t$X\n\tcase ⟨[$b, *$c]¦{"$U": $b}¦$K($b=$I)¦($b, $c)¦'
    "$I | $I⟩⟨¦ if $C⟩:\n\t\t$X\n\tcase _:\n\t\t⟨raise $R($S)¦$X⟩",
    "def ⟨walk¦fact¦power¦depth¦fib⟩(n⟨¦, $b=1⟩):\n\tif n ⟨<= 1¦== 0¦< 2¦is None⟩:\n\t\treturn ⟨1¦"
    "0¦n¦[]⟩\n\treturn ⟨n * $V(n - 1)¦$V(n - 1) + $V(n - 2)¦1 + max($V(n.left), $V(n.right))¦$V(n "
    "// $I) * $E⟩",
    "# ⟨First¦Then¦Now¦TODO:¦Here we⟩ ⟨$b¦get¦fix¦count⟩ the $W $a.\n$X\n\n# ⟨The $c must be $W.¦"
    "No $d here.¦See $K.⟩\n$B  # $W $U",
    "class $K:\n\tdef __enter__(self):\n\t\t$X\n\t\treturn self\n\n\tdef __exit__(self, *args):\n"
    "\t\tself.$a.close()\n\n\nwith $K(⟨$N¦$S⟩) as $b⟨¦, $V() as $c⟩:\n\t$X",
    'import re\n\n$a = re.⟨compile¦findall¦search¦split⟩(r"⟨^¦⟩⟨\\d+¦[a-z]*¦\\w+\\s¦(.+)¦$W⟩⟨-¦:¦'
    '=¦,\\s*⟩⟨\\d{2,4}¦(\\w)?¦[^0-9]¦$W|$W⟩", $b)\nif $a⟨.match($b)¦ is not None¦⟩:\n\t$c = '
    "$a.⟨group($I)¦groups()¦span()⟩\n\t$X",
    "$a = $I ⟨<<¦>>¦&¦|¦^⟩ $I\n$b = ⟨bin¦hex¦oct¦chr⟩($a)⟨¦[2:]⟩\n$c = ⟨0x$I¦0b101¦~$a¦-$a ** 2¦"
    "1e$I¦divmod($a, $I)⟩\nglobal_$d = $E\n⟨if ($b := $V($a)) ⟨>¦==⟩ $N:\n\t$X¦assert $a <= $c < "
    "$N¦del $a, $b¦$a = $b = $L⟩",
)


def _fields(r: R, env: list[str]) -> dict[str, Callable[[], str]]:
    fields: dict[str, Callable[[], str]] = {
        "E": lambda: expr(r, env),
        "C": lambda: cond(r, env),
        "S": lambda: string(r),
        "N": lambda: num(r),
        "I": lambda: str(r.randint(1, 99)),
        "L": lambda: literal(r),
        "B": lambda: "\n".join(stmt(r, env) for _ in range(r.randint(1, 3))),
        "K": lambda: cls(r),
        "T": lambda: r.choice(TYPES),
        "R": lambda: r.choice(ERRORS),
        "U": lambda: noun(r),
        "V": lambda: verb(r),
        "X": lambda: stmt(r, env),
        "M": lambda: r.choice(MODS),
        "W": lambda: r.choice(WORDS),
        "D": lambda: fill(r, DOC, fields),
    }
    fields |= {key: name.__str__ for key, name in zip("abcd", env, strict=True)}
    return fields


def python(rng: random.Random) -> str:
    """One short random Python document."""
    while True:
        fields = _fields(rng, names(rng, 4))
        text = fill(rng, rng.choice(SHAPES), fields)
        if 60 <= len(text) <= 350:
            return text if rng.random() < 0.9 else text.replace("    ", "  ")
