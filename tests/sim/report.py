# SPDX-License-Identifier: ISC
"""The plots and tables of doc/SIMULATION.md, from the results of the runs."""
import re

import chart

NAMES = {"ours": "retrogate", "2013": "rules of 2013"}


def name(result):
    """What a line of a table or plot is called."""
    if result.get("sealed"):
        return "retrogate, sealed"
    if "awake" in result or "contacts" in result:
        return {"ours": "retrogate, classic", "2013": NAMES["2013"]}[result["rules"]]
    return NAMES[result["rules"]] + (", 0.6 items" if result["rules"] == "2013" and result["wire"] == 6 else "")


def picked(results, group, **wanted):
    return [one for one in results if one["group"] == group and all(one.get(key) == value for key, value in wanted.items())]


def table(head, rows):
    if not rows:
        return "*(not run)*"
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def number(value):
    if value == 0:
        return "0"
    if value >= 9999.5:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def seconds(result, what):
    if result[what + "_count"] == 0:
        return "–"
    return f"{number(result[what + '_median'])} / {number(result[what + '_95'])} s"


def percent(value):
    return f"{value:.0f} %" if value in (0, 100) or value < 99 else f"{value:.1f} %"


def side_by_side(results, heads, keys, cells):
    """One row for each key, and in it the cells of each set of rules. `heads`: of the key's columns, and what a cell holds."""
    names = list(dict.fromkeys(name(one) for one in results))
    rows = {}
    for one in results:
        rows.setdefault(tuple(keys(one)), {})[name(one)] = cells(one)
    return table((*heads[:-1], *(f"{what}: {heads[-1]}" if n == 0 else what for n, what in enumerate(names))),
                 [(*key, *(row.get(what, "–") for what in names)) for key, row in rows.items()])


def quiet(results):
    return side_by_side(picked(results, "quiet"), ("nodes", "found; time; requests, bytes a node; answers"),
                        lambda r: (number(r["nodes"]),),
                        lambda r: f"{percent(r['found'])}; {seconds(r, 'time')}; {number(r['requests_per_pair'] / r['nodes'])}, "
                                  f"{number(r['bytes_per_pair'] / r['nodes'])}; {number(r['answers_per_pair'])}")


def searched(r):
    return f"{percent(r['found_first'])} / {percent(r['found'])}; {seconds(r, 'time')}; {number(r['sent_requests'])}"


SEARCHED = "first request / at last; time; requests"


def busy(results):
    return side_by_side(sorted(picked(results, "busy"), key=lambda r: r["load"]), ("searches a minute", SEARCHED),
                        lambda r: (r["load"],), searched)


def large(results):
    return side_by_side(picked(results, "large"), ("nodes", SEARCHED), lambda r: (number(r["nodes"]),), searched)


def absent(results):
    return side_by_side(picked(results, "absent"), ("nodes that want one", SEARCHED), lambda r: (percent(r["absent"]),), searched)


def attack(results):
    def attacker(r):
        if r["flood"]:
            return f"{r['flood']} requests a second and link"
        return f"{r['lies']} false answers" if r["lies"] else "none"
    return side_by_side(sorted(picked(results, "attack"), key=lambda r: (r["lies"], r["flood"])),
                        ("attacker", SEARCHED + "; tunnels told"), lambda r: (attacker(r),),
                        lambda r: f"{searched(r)}; {number(r['tunnels_per_pair'])}")


def churn(results):
    return side_by_side(sorted(picked(results, "churn"), key=lambda r: (r["nodes"], r["churn"])),
                        ("nodes", "go off a minute", "lines on time / that arrive; outage; requests"),
                        lambda r: (number(r["nodes"]), f"{r['churn'] / 10:g} %"),
                        lambda r: f"{percent((r['guest_on_time'] + r['inviter_on_time']) / 2)} / "
                                  f"{percent((r['guest_arrived'] + r['inviter_arrived']) / 2)}; {seconds(r, 'guest_outage')}; "
                                  f"{number(r['sent_requests'])}")


def sleep(results):
    return side_by_side(sorted(picked(results, "sleep", always=10), key=lambda r: r["contacts"]),
                        ("contacts", "there are found; requests, first minute, the hour; a person opens one"),
                        lambda r: (r["contacts"],),
                        lambda r: f"{percent(r['present'])}; {number(r['minutes_requests'][0])}, "
                                  f"{number(sum(r['minutes_requests']) / len(r['minutes_requests']))}; {seconds(r, 'open')}")


def opened(results):
    return side_by_side(picked(results, "opened"), ("the node waits for", "found; time"),
                        lambda r: (f"{r['waiting']} others",), lambda r: f"{percent(r['opened'])}; {seconds(r, 'open')}")


def said(results):
    def role(r):
        return "guest" if r["guests"] else "inviter"
    return side_by_side(picked(results, "said"), ("who says it", "arrive; time"), lambda r: (role(r),),
                        lambda r: f"{percent(r[role(r) + '_arrived'])}; {seconds(r, role(r) + '_delay')}")


TABLES = (quiet, busy, large, absent, attack, churn, sleep, opened, said)


def lines_of(rows, x, y):
    """The series of a chart: one for each name."""
    series = {}
    for one in rows:
        series.setdefault(name(one), []).append((x(one), y(one)))
    return [(key, sorted(points)) for key, points in series.items()]


def plots(results):
    rows = picked(results, "busy")
    if rows:
        yield "load", chart.chart("Pairs found by their first request, 2 000 nodes", "other searches a minute, whole network",
                                  "found, %", lines_of(rows, lambda r: r["load"], lambda r: r["found_first"]), True, 100)
    rows = picked(results, "absent", absent=100)
    if rows:
        yield "wait", chart.chart("Pairs found, while every node wants somebody who is not there", "seconds after they began",
                                  "found, %", [(name(r), [(5 * n, y) for n, y in enumerate(r["found_after"])]) for r in rows],
                                  y_most=100)
    rows = picked(results, "churn", nodes=2000)
    if rows:
        yield "churn", chart.chart("Lines that arrive within five seconds, 2 000 nodes", "nodes that go off each minute, %",
                                   "lines, %", lines_of(rows, lambda r: r["churn"] / 10,
                                                        lambda r: (r["guest_on_time"] + r["inviter_on_time"]) / 2), y_most=100)
    rows = picked(results, "sleep", contacts=300, always=10)
    if rows:
        yield "sleep", chart.chart("300 contacts, ten in a hundred always wanted, half of the nodes off",
                                   "minutes after all began", "requests a node and second",
                                   [(name(r), list(enumerate(r["minutes_requests"]))) for r in rows])


def write(results, into, document):
    for what, svg in plots(results):
        (into / f"{what}.svg").write_text(svg)
    tables = {make.__name__: make(results) for make in TABLES}
    if document is None:
        print("\n\n".join(f"{what}\n{text}" for what, text in tables.items()))
        return
    text = document.read_text()
    for what, new in tables.items():
        text = re.sub(rf"(<!-- {what} -->\n).*?(<!-- end -->)", lambda match: match[1] + new + "\n" + match[2], text, flags=re.S)
    document.write_text(text)
