"""Random short pieces of mathematics: sums that are right, equations, LaTeX, sets, proofs."""

import random
import re
from collections.abc import Callable
from fractions import Fraction
from math import comb, factorial, gcd, prod

from faultlens.mini.recipe.kinds.templates import fill

R = random.Random
VARS = ["x", "y", "z", "t", "n", "a", "b", "u", "k", "m"]
FUNCS = ["f", "g", "h", "p", "q", "F"]
SIGNS = [("<", ">"), (">", "<"), ("≤", "≥"), ("≥", "≤"), ("\\leq", "\\geq")]
MARKS = ["${}$", "$${}$$", "\\[ {} \\]", "\\( {} \\)"]
TERM = (
    "⟨\\frac{$f}{$f}¦$f + $f¦$f - $f¦\\sqrt{$f}¦\\left($f\\right)¦|$f|¦$f \\cdot $f¦\\log($f)¦"
    "e^{$f}¦\\sum_{⟨i¦j⟩=1}^{n} $f¦\\int_0^1 $f \\, dx¦\\lim_{x \\to 0} $f¦\\prod_{⟨i¦j⟩=0}^{m} $f⟩"
)
LOGIC = [
    "∀$x ∈ ⟨ℝ¦ℤ¦ℚ⟩ ∃$y ∈ ℝ: $y > $x + $n",
    "¬($P ⟨∧ $Q) ⇔ ¬$P ∨¦∨ $Q) ⇔ ¬$P ∧⟩ ¬$Q",
    "$P ∨ ¬$P = ⊤",
    "($P ⇒ $Q) ∧ ($Q ⇒ $S) ⊢ $P ⇒ $S",
    "$$\\forall $x \\exists $y : $x + $y = $n$$",
    "$P ∧ ($Q ∨ $S) ≡ ($P ∧ $Q) ∨ ($P ∧ $S)",
    "∄$x ∈ ℝ: $x² = -$n",
    "∃!$x ∈ ℤ: $x + $n = 0",
    "$x ∈ $P ∩ $Q ⇔ $x ∈ $P ∧ $x ∈ $Q",
    "($P ⇒ $Q) ⇔ (¬$Q ⇒ ¬$P)",
    "|$x + $y| ≤ |$x| + |$y|",
]
PROOF = (
    "⟨Claim:¦Theorem.¦Lemma $q.¦Show that⟩ ⟨if $q | $x and $q | $y then $q | $x + "
    "$y.\n⟨Proof.¦We see that⟩ $x + $y = $qc + $qd = $q(c + d).¦$x² + 1 ≥ 2$x.\n⟨Proof:¦Note⟩ "
    "($x - 1)² ≥ 0, so $x² - 2$x + 1 ≥ 0.¦$x < $y ⇒ $x + $n < $y + $n.\nProof. Add $n to both "
    "sides.¦1 + 2 + … + $x = $x($x + 1)/2.\nProof by induction. $x = 1: 1 = 1. Then add $x + "
    "1.¦the sum of 2 ⟨odd¦even⟩ numbers is even.\nProof. ⟨Odd: (2$x + 1) + (2$y + 1) = 2($x + $y "
    "+ 1)¦Even: 2$x + 2$y = 2($x + $y)⟩.¦√⟨2¦3¦5¦7⟩ ∉ ℚ.\nProof. Let it be $x/$y with gcd($x, "
    "$y) = 1. This is not possible.¦$q$x + $n = $q$y + $n ⇒ $x = $y.\nProof: ⟨Subtract¦Take "
    "away⟩ $n, then divide by $q.⟩ ⟨∎¦QED¦□¦Done.⟩"
)


def tree(r: R, depth: int) -> tuple[str, int]:
    """A random sum or product in brackets, and its value."""
    if depth == 0 or r.random() < 0.15:
        n = r.randint(1, 20)
        return str(n), n
    (a, x), (b, y) = tree(r, depth - 1), tree(r, depth - 1)
    return r.choice([(f"({a} + {b})", x + y), (f"({a} - {b})", x - y), (f"({a} × {b})", x * y)])


def poly_text(cs: list[int], x: str) -> str:
    """A polynomial with coefficients `cs`, lowest first, as text."""
    text = " + ".join(f"{c}{x}^{i}" for i, c in reversed(list(enumerate(cs))) if c) or "0"
    text = text.replace(f"{x}^0", "").replace(f"{x}^1", x).replace("+ -", "- ")
    return re.sub(rf"\b1{x}", x, text)


def smooth(r: R, x: str, depth: int) -> tuple[str, str]:
    """A random function of `x` in LaTeX, and its derivative."""
    n = r.randint(3, 9)
    if depth == 0:
        return r.choice([(f"{x}^{n}", f"{n}{x}^{n - 1}"), (f"{n}{x}", f"{n}"), (x, "1")])
    (f, df), (g, dg) = smooth(r, x, depth - 1), smooth(r, x, 0)
    return r.choice(
        [
            (f"\\sin({f})", f"\\cos({f}) \\cdot ({df})"),
            (f"e^{{{f}}}", f"({df}) e^{{{f}}}"),
            (f"\\cos({f})", f"-\\sin({f}) \\cdot ({df})"),
            (f"\\ln({f})", f"\\frac{{{df}}}{{{f}}}"),
            (f"({f})^{n}", f"{n}({f})^{n - 1} \\cdot ({df})"),
            (f"{f} + {g}", f"{df} + {dg}"),
            (f"({f})({g})", f"({df})({g}) + ({f})({dg})"),
            (f"{n}({f})", f"{n}({df})"),
            (f"\\sqrt{{{f}}}", f"\\frac{{{df}}}{{2\\sqrt{{{f}}}}}"),
        ]
    )


def formula(r: R, depth: int) -> str:
    """A random LaTeX term that claims nothing."""
    if depth:
        return fill(r, TERM, {"f": lambda: formula(r, depth - 1)})
    v = r.choice(VARS)
    return r.choice([v, v, str(r.randint(1, 9)), f"{v}_{r.randint(0, 9)}", f"{v}^2", "\\pi"])


def sums(r: R) -> str:
    rows, sign = [], r.choice(["×", "*", "·", "\\times"])
    for _ in range(r.randint(4, 8)):
        a, b = r.randint(2, 99), r.randint(2, 99)
        p, q = (Fraction(r.randint(1, 11), r.randint(2, 12)) for _ in range(2))
        rows.append(
            r.choice(
                [
                    f"{a} + {b} = {a + b}",
                    f"{a} - {b} = {a - b}",
                    f"{a} {sign} {b} = {a * b}",
                    f"{a * b} ÷ {b} = {a}",
                    f"{a}^2 = {a * a}",
                    f"√{a * a} = {a}",
                    f"{a * b} / {a} = {b}",
                    f"{p} + {q} = {p + q}",
                    f"{p} × {q} = {p * q}",
                    f"{p} ÷ {q} = {p / q}",
                ]
            )
        )
    return r.choice(["\n", ", ", "; "]).join(rows)


def nested(r: R) -> str:
    (a, x), (b, y), (c, z) = (tree(r, 2) for _ in range(3))
    last = r.choice([f"{a} + {b}\n= {x} + ({y})\n= {x + y}", f"{c} = {z}"])
    return f"{a} = {x}\n{b} = {y}\n{last}"


def equation(r: R) -> str:
    v, a, b, p, q = r.choice(VARS), *(r.randint(2, 9) for _ in range(4))
    p, end = r.choice([p, -p]), r.randint(1, 40)
    text = poly_text([p * q, -(p + q), 1], v)
    factors = "".join(f"({poly_text([-s, 1], v)})" for s in (p, q))
    rows = [f"{x}x + {y}y = {x * p + y * q}" for x, y in ((a, b), (a + 1, b))]
    tex = "\\begin{cases} " + " \\\\ ".join(rows) + " \\end{cases}"
    arrow, op, flip = r.choice(["\n", " ⇒ ", " \\implies "]), *r.choice(SIGNS)
    return r.choice(
        [
            f"{text} = 0{arrow}{factors} = 0{arrow}{v} = {p} or {v} = {q}",
            f"{text} = {factors}\nroots: {p}, {q}; sum {p + q}; product {p * q}",
            f"{text} = 0\nΔ = {(p - q) ** 2}, √Δ = {abs(p - q)}\n∴ {v} ∈ {{{p}, {q}}}",
            f"{rows[0]}\n{rows[1]}\n{r.choice(['Answer:', '∴', 'So'])} x = {p}, y = {q}",
            f"{tex}\n{r.choice(['Answer:', '∴', 'So'])} (x, y) = ({p}, {q})",
            f"Solve {a}{v} + {end} = {a * p + end}{arrow}{a}{v} = {a * p}{arrow}{v} = {p}\n"
            f"Check: {a} × ({p}) + {end} = {a * p + end}.",
            f"|{v} - {b}| ≤ {a} ⇔ {b - a} ≤ {v} ≤ {b + a} ⇔ {v} ∈ [{b - a}, {b + a}]",
            f"{a}{v} + {b} {op} {a * p + b} ⇔ {a}{v} {op} {a * p} ⇔ {v} {op} {p}",
            f"-{a}{v} + {b} {op} {b - a * p}{arrow}-{a}{v} {op} {-a * p}{arrow}{v} {flip} {p}",
        ]
    )


def tex_line(r: R) -> str:
    f = r.choice(FUNCS)
    rows = [f"{f}({v}) = {formula(r, r.randint(1, 3))}" for v in r.sample(VARS, r.randint(1, 3))]
    if r.random() < 0.3:
        body = " \\\\\n".join(row.replace("=", "&=", 1) for row in rows)
        return f"\\begin{{align}}\n{body}\n\\end{{align}}"
    return r.choice([" ", "\n"]).join(r.choice(MARKS).replace("{}", row) for row in rows)


def sets(r: R) -> str:
    a, b = (sorted(r.sample(range(1, 16), r.randint(2, 6))) for _ in range(2))
    one, k, n = [i for i in a if i not in b], r.randint(2, 9), r.randint(10, 40)
    show = {
        "A": a,
        "B": b,
        "A ∩ B": [i for i in a if i in b],
        "A ∪ B": sorted(one + b),
        "A \\ B": one,
        f"{{n ∈ ℕ : 0 < n < {n}, {k} | n}}": list(range(k, n, k)),
    }
    rows = [f"{key} = {{{', '.join(map(str, v))}}}" for key, v in show.items()]
    rows += [f"|A| = {len(a)}, {a[0]} ∈ A", f"16 ∉ B, |P(B)| = 2^{len(b)} = {2 ** len(b)}"]
    rows = rows[:2] + r.sample(rows[2:], r.randint(2, 4))
    return "\n".join(rows).replace("{}", "∅")


def derivative(r: R) -> str:
    v, name, rows = r.choice("xtu"), r.choice(FUNCS), ""
    for _ in range(r.randint(1, 2)):
        f, df = smooth(r, v, r.randint(1, 2))
        d = r.choice([f"{name}'({v})", f"\\frac{{d{name}}}{{d{v}}}", f"d{name}/d{v}"])
        rows += f"{name}({v}) = {f}\n{d} = {df}\n"
    return rows.rstrip()


def calculus(r: R) -> str:
    v, f, a, b = r.choice("xtu"), r.choice(FUNCS), r.randint(0, 2), r.randint(3, 5)
    cs = [r.randint(-9, 9) for _ in range(r.randint(2, 5))] + [1]
    area = sum(Fraction(c, i + 1) * (b ** (i + 1) - a ** (i + 1)) for i, c in enumerate(cs))
    p, diff = poly_text(cs, v), poly_text([i * c for i, c in enumerate(cs)][1:], v)
    at = [sum(c * x**i for i, c in enumerate(cs)) for x in range(6)]
    return f"{f}: ℝ → ℝ, {v} ↦ {p}\n" + "\n".join(
        r.sample(
            [
                f"{f}'({v}) = {diff}",
                f"\\lim_{{{v} \\to {b}}} {f}({v}) = {at[b]}",
                f"{f}({b}) - {f}({a}) = {at[b] - at[a]}",
                f"∫_{a}^{b} ({p}) d{v} = {area}",
                f"$\\int_{{{a}}}^{{{b}}} {p} \\, d{v} = {area}$",
                f"{v} | 0 | 1 | 2 | 3 | 4 | 5\n{f} | {' | '.join(map(str, at))}",
                ", ".join(f"{f}({i}) = {at[i]}" for i in range(r.randint(3, 6))),
            ],
            r.randint(2, 3),
        )
    )


def probability(r: R) -> str:
    a, b, n, k = r.randint(1, 9), r.randint(1, 9), r.randint(2, 7), r.randint(0, 2)
    p, q = Fraction(a, a + b), Fraction(r.randint(1, 5), 6)
    color, other = r.sample(["red", "blue", "green", "black", "white"], 2)
    xs = [r.randint(1, 40) for _ in range(r.choice([3, 5, 7]))]
    data = f"data: {', '.join(map(str, xs))}; ∑x = {sum(xs)}, "
    return "\n".join(
        r.sample(
            [
                f"A bag has {a} {color} and {b} {other} balls. P({color}) = {a}/{a + b} = {p}.",
                f"P(not {color}) = 1 - {p} = {1 - p}",
                f"P(A) = {p}, P(B) = {q}, P(A ∩ B) = {p * q}",
                f"A fair coin, {n} times: P({k} heads) = C({n},{k})/2^{n} = {Fraction(comb(n, k), 2**n)}",
                f"X ~ B({n}, {p}), E[X] = {n * p}, Var(X) = {n * p * (1 - p)}",
                f"{data}median = {sorted(xs)[len(xs) // 2]}",
                f"{data}x̄ = {Fraction(sum(xs), len(xs))}",
            ],
            r.randint(2, 3),
        )
    )


def geometry(r: R) -> str:
    m, k, a, b = r.randint(2, 6), r.randint(1, 4), r.randint(2, 20), r.randint(2, 20)
    x, y, z = k * (k + 2 * m), 2 * m * (m + k), m * m + (m + k) ** 2
    return "\n".join(
        r.sample(
            [
                f"{x}² + {y}² = {x * x} + {y * y} = {z * z} = {z}²",
                f"{180 * a}° = {a}π rad",
                f"A circle with r = {a}: area = πr² = {a * a}π, C = {2 * a}π.",
                f"V = {a}³ = {a**3}",
                f"Triangle ABC: base {2 * a}, height {b}, area = {a * b}.",
                f"∠A = {a}°, ∠B = {b}° ⇒ ∠C = {180 - a - b}°",
                f"d(({a}, {b}), ({a + x}, {b + y})) = {z}",
                f"A {a + 1}-gon: angles sum to {180 * (a - 1)}°.",
                f"z = {x} + {y}i, |z| = {z}",
            ],
            4,
        )
    )


def series(r: R) -> str:
    k, n, a, d, q = r.choice("ij"), r.randint(4, 20), *(r.randint(2, 6) for _ in range(3))
    return "\n".join(
        r.sample(
            [
                f"∑_{{{k}=1}}^{{{n}}} {k} = {n * (n + 1) // 2}",
                f"{n % 7}! = {factorial(n % 7)}",
                f"$\\sum_{{{k}=1}}^{{{n}}} {k}^2 = {n * (n + 1) * (2 * n + 1) // 6}$",
                f"a_n = {a} + {d}(n - 1): {', '.join(str(a + d * i) for i in range(6))}, …",
                f"1 + {q} + {q * q} + … + {q}^{a + 2} = {(q ** (a + 3) - 1) // (q - 1)}",
                f"∏_{{{k}=1}}^{{{q}}} ({k} + {a}) = {prod(i + a for i in range(1, q + 1))}",
                f"C({n}, {q}) = {comb(n, q)}",
                f"∑_{{{k}=0}}^{{∞}} 1/{q}^{k} = {Fraction(q, q - 1)}",
            ],
            4,
        )
    )


def matrices(r: R) -> str:
    a, b, c, d, e, f, g, h = (r.randint(-5, 9) for _ in range(8))
    tex = r"\begin{{Pmatrix}} {} & {} \\ {} & {} \end{{Pmatrix}}".replace("P", r.choice("pb"))
    form = r.choice([tex, "[[{}, {}], [{}, {}]]"])
    last = r.choice(
        [
            f"AB = {form.format(a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h)}",
            f"A + B = {form.format(a + e, b + f, c + g, d + h)}",
            f"A^T = {form.format(a, c, b, d)}",
            f"det A = {a * d - b * c}, tr A = {a + d}",
            f"|({a}, {b})|² = {a * a + b * b}",
            f"u = ({a}, {b}), v = ({c}, {d}), u · v = {a * c + b * d}",
        ]
    )
    return f"A = {form.format(a, b, c, d)}\nB = {form.format(e, f, g, h)}\n{last}"


def integers(r: R) -> str:
    rows = []
    for _ in range(r.randint(3, 5)):
        n, k, m = r.randint(2, 300), r.randint(2, 5), r.randint(3, 17)
        ps = [p for p in range(2, n + 1) if n % p == 0 and all(p % d for d in range(2, p))]
        whole = " × ".join(str(p) for p in ps for e in range(1, 9) if n % p**e == 0)
        rows.append(
            r.choice(
                [
                    f"{n} = {whole}",
                    f"{n} = {n:b}_2",
                    f"{n} = {n:#x} = {n:#o}",
                    f"{k}^{n % 9} = {k ** (n % 9)}",
                    f"{n} is {'' if whole == str(n) else 'not '}prime",
                    f"{n} = {n // m} · {m} + {n % m}",
                    f"gcd({n}, {m * k}) = {gcd(n, m * k)}",
                    f"{n}² ≡ {n * n % m} \\pmod{{{m}}}",
                    f"⌊{n}/{k}⌋ = {n // k}",
                    f"{n}% of {100 * k} = {n * k}",
                    f"{n} km = {n * 1000} m",
                    f"{n / 4} = {Fraction(n, 4)}",
                ]
            )
        )
    return "\n".join(rows)


def proof(r: R) -> str:
    names = r.sample(VARS, 2) + r.sample("PQRSABC", 3)
    names += [str(r.randint(1, 99)), str(r.randint(2, 9))]
    fields = {key: name.__str__ for key, name in zip("xyPQSnq", names, strict=True)}
    lines = r.choice([[PROOF], r.sample(LOGIC, r.randint(3, 5))])
    return "\n".join(fill(r, line, fields) for line in lines)


SHAPES: tuple[Callable[[R], str], ...] = (
    sums,
    nested,
    equation,
    equation,
    equation,
    equation,
    tex_line,
    tex_line,
    sets,
    derivative,
    calculus,
    probability,
    geometry,
    series,
    matrices,
    integers,
    proof,
    proof,
    proof,
)


def math(rng: random.Random) -> str:
    """One short random piece of mathematics."""
    while True:
        text = rng.choice(SHAPES)(rng)
        if 60 <= len(text) <= 350:
            return text
