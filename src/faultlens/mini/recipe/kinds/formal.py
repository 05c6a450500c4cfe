"""Formal English prose: reports, contracts, letters, minutes, abstracts, rules and notices.

A shape is a small function; its text is filled by `_fill`, in which "{x}" stands for a random
choice from the bank x, "{a|b}" for one of the sides and "{#2-9}" for a number in that range.
"""

from __future__ import annotations

import random
import re

from faultlens.mini.recipe.kinds.slots import fill_slots

START = re.compile(r"(^|[.!?:]\s+|\n)([a-z])")
ARTICLE = re.compile(r"\b([Aa]) (?=[aeio]|un(?!i)|8|11\b|18\b)")

WORDS: dict[str, str] = {
    "month": "January|February|March|July|August|September|October|November|December",
    "date": "{#1-28} {month} {#1985-2024}",
    "day": "Monday|Tuesday|Wednesday|Thursday|Friday",
    "body": "committee|board|council|department|commission|agency|authority|ministry",
    "party": "supplier|buyer|tenant|contractor|licensee|borrower|lender|employee|employer|insurer",
    "officer": "chair|treasurer|director|secretary|auditor|inspector|manager",
    "matter": "annual budget|safety policy|building programme|staffing plan|water supply|new road|"
    "audit report|training scheme|data policy|pension fund|waste contract",
    "verdict": "approved|deferred|rejected|noted with thanks|adopted without change|sent for review",
    "good": "steel|cotton|timber|wheat|machine parts|medical supplies|copper wire|office furniture",
    "sector": "manufacturing|retail|transport|energy|construction|farming|tourism|banking",
    "rose": "rose|fell|increased|declined|remained stable and then rose|dropped sharply",
    "cause": "higher fuel prices|weak demand|new trade rules|a mild winter|lower interest rates|"
    "delays at the ports|strong exports|rising wages",
    "disease": "asthma|diabetes|high blood pressure|influenza|back pain|anaemia|migraine",
    "symptom": "fever|chest pain|a dry cough|loss of appetite|dizziness|swelling of the left knee|"
    "a mild rash|shortness of breath",
    "drug": "a low dose of aspirin|antibiotics|an iron supplement|an inhaler|rest and fluids|"
    "physical therapy",
    "subject": "adults|children aged {#4-12}|elderly patients|office workers|night nurses|students",
    "factor": "regular exercise|reduced salt intake|poor sleep|daily reading|noise exposure|"
    "early treatment|screen time",
    "outcome": "heart rate|memory scores|blood sugar|reaction time|body weight|reported stress",
    "method": "a controlled trial|a survey by post|a series of interviews|a laboratory experiment|"
    "an analysis of public records|a computer simulation",
    "substance": "copper sulfate|sodium chloride|distilled water|the soil sample|the polymer|"
    "the enzyme solution|the metal plate",
    "species": "oak seedlings|river trout|honey bees|field mice|soil bacteria|marsh frogs",
    "show": "suggest|indicate|demonstrate|show|confirm",
    "law": "Water Act|Companies Act|Road Traffic "
    "Act|Data Protection Act|Public Health Act|Education Act",
    "clause": "clause {#2-19}|section {#2-48}|article {#2-30}|paragraph {#1-9} of schedule {#1-6}",
    "period": "{#2-60} days|{#2-12} weeks|{#2-24} months|two years|three years|"
    "five years|seven years",
    "sum": "${#2-900},000|£{#2-90},{#100-999}|€{#1-40} million|£{#2-9}.{#1-9} million",
    "must": "shall|must|is required to",
    "place": "the northern district|the port area|the main "
    "office|the public library|the east gate|the river bank|the town hall|platform {#1-12}",
    "hence": "accordingly|therefore|for this reason|as a result|consequently|in view of this",
    "also": "furthermore|in addition|moreover|it should also be noted that",
    "but": "however|nevertheless|by contrast|despite this",
    "rank": "court|tribunal|court of appeal|arbitration panel",
    "wrong": "breach of contract|"
    "negligence|unlawful dismissal|fraud|infringement of the patent|failure to pay rent",
    "adj": "significant|moderate|limited|considerable|measurable|unexpected",
    "asset": "bridge|pump station|warehouse|school roof|power line|lift|boiler|drainage system",
    "state": "in fair condition|in need of urgent repair|fit for use|unsafe|below the standard",
}


def _fill(rng: random.Random, text: str) -> str:
    """Fill the slots, then set capitals and articles right."""
    text = ARTICLE.sub(r"\1n ", fill_slots(rng, text, WORDS))
    return START.sub(lambda match: match[1] + match[2].upper(), text)


def _contract(rng: random.Random) -> str:
    one, two = rng.sample(WORDS["party"].split("|"), 2)
    text = rng.choice(
        (
            "{#1-19}.{#1-9} "
            f"The {one} {{must}} deliver the {{good}} to the {two} {{no later "
            "than {date}|within {period}|on or before {date}}. {if goods are late|in case of delay|"
            f"should the {one} fail to do so}}, the sum of {{sum}} shall become payable {{without "
            "further notice|on demand|under {clause}}.",
            f"This Agreement is made on {{date}} between the {one} and the {two} (together, the "
            "Parties). Subject to {clause}, it shall remain in force for {period} and may be "
            "{ended|renewed|amended} only {in writing|by mutual consent|with {period} of notice}.",
            f"Neither the {one} nor the {two} shall be liable for {{loss of profit|delay|damage to the "
            "{good}} caused by {flood|war|strike|fire|an act of government}, provided that the other "
            "party has {been informed in writing|given its consent} within {period}.",
        )
    )
    return _fill(rng, text)


def _minutes(rng: random.Random) -> str:
    text = (
        "minutes of the {body} meeting held on {date}. Present: the {officer}, the {officer} "
        "and {#3-14} members. Item {#1-9}: the {matter} was discussed and {verdict}. {The "
        "{officer} reported a cost of {sum}.|It was resolved that the {officer} would report "
        "back within {period}.|Action: the {officer} to review the {matter}.} {The meeting "
        "closed at {#3-9}.{#10-50}.|There being no other business, the meeting closed.}"
    )
    return _fill(rng, text)


def _letter(rng: random.Random) -> str:
    text = (
        "Dear {Sir or Madam|Members of the {body}|Customer|Colleague|Applicant},\n{I am "
        "writing to|I wish to|We are pleased to|We regret to} inform you that your "
        "{application|complaint|request|claim} of {date} concerning the {matter} has been "
        "{verdict}. {Please reply within {period}.|In addition, a fee of {sum} is due.|Should "
        "you have any questions, please contact this office.}\nYours "
        "{faithfully|sincerely},\nThe {officer}"
    )
    return _fill(rng, text)


def _abstract(rng: random.Random) -> str:
    who, why, what = (rng.choice(WORDS[key].split("|")) for key in ("subject", "factor", "outcome"))
    text = (
        f"{{background|objective|aim}}: {{to examine|this study examined|we assessed}} the "
        f"effect of {why} on {what} in {who}. methods: {{#20-900}} {{people|subjects}} took "
        f"part in {{method}} over {{period}}. results: {what} {{rose}} by {{#2-60}} per cent "
        "(p = 0.0{#1-9}). conclusion: {the findings {show} a {adj} link|further research is "
        "needed|no {adj} effect was found}."
    )
    return _fill(rng, text)


def _prose_study(rng: random.Random) -> str:
    text = rng.choice(
        ("in this paper we present ", "the authors report ", "this article describes ")
    )
    text += (
        "{method} on {factor} among {subject}. {the data {show}|our results {show}} that "
        "{outcome} {rose} {in {#20-80} per cent of cases|after {period}|with age}. {but}, the "
        "sample was {small|not random|drawn from one town}, and the effect may reflect {other "
        "causes|chance|{cause}}."
    )
    return _fill(rng, text)


def _economy(rng: random.Random) -> str:
    text = (
        "output in the {sector} sector {rose} by {#1-9}.{#0-9} per cent in the "
        "{first|second|third|fourth} quarter of {#1995-2024}, {largely because "
        "of|reflecting|partly owing to} {cause}. {but}, "
        "{employment|investment|inflation|household spending} {rose} over the year, and the "
        "central bank {kept its rate at {#1-7} per cent|warned of {adj} risks|expects slower "
        "growth}."
    )
    return _fill(rng, text)


def _law(rng: random.Random) -> str:
    text = (
        "{no person shall|a person must not|it is an offence to} {operate a vehicle|discharge "
        "waste|sell {good}|store fuel|display a sign} {in|near|within {#20-400} metres of} "
        "{place} {without a licence|except with written consent|between 22.00 and 06.00}. any "
        "person who {contravenes|fails to comply with} {clause} of the {law} {#1950-2020} is "
        "liable to {a fine not exceeding {sum}|a penalty of {sum}|imprisonment for {period}}."
    )
    return _fill(rng, text)


def _notice(rng: random.Random) -> str:
    text = (
        "{public notice|notice|important notice}: {notice is hereby given that|please be "
        "advised that|residents are informed that} {place} will be closed {from {date}|for "
        "{period}|on {day}, {date},} {for repair of the {asset}|for inspection|owing to works "
        "on the {asset}}. {enquiries should be addressed to the {officer}|objections must be "
        "made in writing within {period}|visitors are asked to use {place}}. {by order of the "
        "{body}.|}"
    )
    return _fill(rng, text)


def _medical(rng: random.Random) -> str:
    text = (
        "{the patient|a {#19-88}-year-old {man|woman}|this {#19-88}-year-old patient} "
        "presented with a {#2-40}-{day|week} history of {symptom} and {symptom}. there was "
        "{no|a family} history of {disease}. temperature was 3{#6-9}.{#0-9} C and pulse "
        "{#58-118} per minute. {drug} {seemed to help|had no effect|brought some relief}, and "
        "the patient was {discharged|referred to a specialist|asked to return in {#2-8} "
        "weeks}."
    )
    return _fill(rng, text)


def _judgment(rng: random.Random) -> str:
    text = (
        "the {claimant|appellant|plaintiff} {alleged|submitted|argued} that the {party} was "
        "liable for {wrong} {under {clause} of the {law}|as from {date}}. the {rank} "
        "{held|found|was not satisfied} that the {evidence|agreement|notice} was "
        "{valid|sufficient|in writing}. {hence}, the {appeal|claim|application} was "
        "{allowed|dismissed} {with costs|in part} and damages of {sum} were {awarded|refused}."
    )
    return _fill(rng, text)


def _experiment(rng: random.Random) -> str:
    text = (
        "{#2-90} g of {substance} was {heated to {#30-400} degrees|mixed with {substance}|kept "
        "in the dark|dried} for {#2-48} hours. {the mass|the pressure|the colour|its volume} "
        "was then {recorded|measured|compared with a control} at intervals of {#2-30} minutes. "
        "{the results {show}|these values {show}} a {adj} change{ in density| in temperature|, "
        "as seen in Table {#1-9}|, as seen in Figure {#1-9}}."
    )
    return _fill(rng, text)


def _field(rng: random.Random) -> str:
    kind = rng.choice(WORDS["species"].split("|"))
    text = (
        "between {month} and {month} {#1990-2023}, "
        f"{kind} were {{counted|observed|seen}} "
        "at {#3-40} sites near {place}. mean density was {#2-90} per square metre, with "
        "{adj} variation between years. {hence}, it is {proposed|likely|clear} that "
        f"{kind} {{depend on water quality|respond to temperature|compete for "
        "food|avoid open ground}."
    )
    return _fill(rng, text)


def _inspection(rng: random.Random) -> str:
    text = (
        "inspection report number {#100-9999}. the {asset} at {place} was inspected on {date} "
        "by the {officer}. it was found to be {state}. {cracks of {#2-40} mm|signs of rust|no "
        "visible defects|{#2-9} loose bolts} were recorded. {it is recommended that|the {body} "
        "advises that} {repairs be completed within {period}|it be replaced at a cost "
        "of {sum}}."
    )
    return _fill(rng, text)


def _policy(rng: random.Random) -> str:
    items = rng.sample(
        [
            "report any accident to the {officer} within {period}",
            "wear protective clothing at all times",
            "keep records for {period}",
            "obtain written consent from the {officer}",
            "refrain from using {place} after {#5-9}.00",
            "return all equipment by {day}",
            "complete the training on the {matter}",
            "declare any gift above {sum}",
        ],
        3,
    )
    marks = rng.choice(
        (("(a)", "(b)", "(c)"), ("1.", "2.", "3."), ("(i)", "(ii)", "(iii)"), ("-", "-", "-"))
    )
    head = "{all staff|members of the {body}|every contractor|applicants} {shall|must|are to}:"
    lines = [f"{mark} {item};" for mark, item in zip(marks, items, strict=True)]
    return _fill(rng, "\n".join([head, *lines]))[:-1] + "."


def _minister(rng: random.Random) -> str:
    text = (
        "the {body} {welcomes|has considered|takes note of} the report on the {matter}. "
        "{hence}, it {recommends|has decided} that {sum} be {set aside for|withdrawn "
        "from} the {sector} sector {over {period}|from {date}}. the {officer} "
        "{stated|observed} that {the measures were necessary|costs had {adj} effects|{cause} "
        "had delayed progress}."
    )
    return _fill(rng, text)


def _accounts(rng: random.Random) -> str:
    text = (
        "for the year ended {#28-30} {month} {#1998-2023}, revenue {was|amounted to|stood at} "
        "{sum} (previous year: {sum}). {operating costs|net profit|long-term debt|cash at "
        "bank} {rose} owing to {cause}. the directors {propose|do not recommend} a dividend of "
        "{#2-90} cents per share. {in the opinion of the auditor, the accounts give a fair "
        "view.|see note {#2-30}.}"
    )
    return _fill(rng, text)


def _invite(rng: random.Random) -> str:
    text = (
        "the {officer} and members of the {body} request the honour of your presence at {a "
        "lecture on the {matter}|the opening of the {asset}|the annual dinner} to be held at "
        "{the town hall|the public library|the main office|the museum} on {day}, {date}, at "
        "{six|seven|half past seven|eight} o'clock. {formal dress is required|kindly reply by "
        "{date}|admission is by ticket only}."
    )
    return _fill(rng, text)


SHAPES = (
    _contract,
    _minutes,
    _letter,
    _abstract,
    _prose_study,
    _economy,
    _law,
    _notice,
    _medical,
    _judgment,
    _experiment,
    _field,
    _inspection,
    _policy,
    _minister,
    _accounts,
    _invite,
)


def formal(rng: random.Random) -> str:
    """One formal document or a passage of one."""
    return rng.choice(SHAPES)(rng).strip()
