"""Rule files: conditions over named features, the grades they lead to, and where panels go.

Rules stand in stages. The first stage with an outcome other than *pass* makes the verdict, so
a broken back sheet rejects a panel before anybody asks for a measurement that was never taken.
Within a stage *hold* outweighs *retest*, and *retest* outweighs *reject*: what cannot be trusted
decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from grading.decision import Conformity, decide
from grading.feature import Feature, FeatureValue
from grading.values import Outcome, RuleFinding

WEIGHT = {Outcome.PASS: 0, Outcome.REJECT: 1, Outcome.RETEST: 2, Outcome.HOLD: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One limit on one feature: exactly one of ``at_least``, ``at_most`` and ``equals``."""

    feature: str
    at_least: float | None = None
    at_most: float | None = None
    equals: FeatureValue | None = None

    def margin(self, value: FeatureValue) -> float:
        """Return how far ``value`` is on the right side of the limit, in the feature's unit."""
        if self.at_least is not None:
            return float(value) - self.at_least
        if self.at_most is not None:
            return self.at_most - float(value)
        return 0.0 if value == self.equals else -1.0

    @property
    def limit(self) -> str:
        """The limit as a person reads it."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return f"≤ {self.at_most:g}" if self.at_most is not None else f"= {self.equals}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A condition that every panel must meet.

    ``otherwise`` is the outcome where it surely does not, ``marginal`` where the measurement
    cannot tell, and ``missing`` where the feature was not measured; an ``optional`` rule is then
    silent instead.
    """

    id: str
    stage: str
    condition: Condition
    otherwise: Outcome
    reason: str
    source: str
    marginal: Outcome = Outcome.RETEST
    missing: Outcome = Outcome.HOLD
    missing_reason: str | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """A class of panels that passed; the first whose conditions all hold is given."""

    name: str
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text in both languages."""

    nl: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBook:
    """One version of the rules. ``destinations`` maps each outcome to a place."""

    name: str
    version: str
    false_accept: float
    stages: tuple[str, ...]
    rules: tuple[Rule, ...]
    grades: tuple[Grade, ...]
    destinations: Mapping[Outcome, str]
    reasons: Mapping[str, Text]


def apply(book: RuleBook, features: Mapping[str, Feature]) -> tuple[RuleFinding, ...]:
    """Apply every rule, in the order of the stages; a silent rule gives no finding."""
    ordered = sorted(book.rules, key=lambda rule: book.stages.index(rule.stage))
    findings = (_judge(rule, features.get(rule.condition.feature), book) for rule in ordered)
    return tuple(finding for finding in findings if finding is not None)


def verdict(book: RuleBook, findings: tuple[RuleFinding, ...]) -> tuple[Outcome, tuple[str, ...]]:
    """Return the verdict, and the reasons that made it."""
    stage_of = {rule.id: rule.stage for rule in book.rules}
    for stage in book.stages:
        here = [finding for finding in findings if stage_of[finding.rule] == stage]
        worst = max((f.outcome for f in here), key=WEIGHT.__getitem__, default=Outcome.PASS)
        if worst is not Outcome.PASS:
            reasons = dict.fromkeys(f.reason for f in here if f.outcome is worst)
            return worst, tuple(reasons)
    return Outcome.PASS, ()


def grade_of(book: RuleBook, features: Mapping[str, Feature]) -> str | None:
    """Return the best class whose every condition surely holds, or None."""
    for grade in book.grades:
        if all(_holds(condition, features, book) for condition in grade.conditions):
            return grade.name
    return None


def _holds(condition: Condition, features: Mapping[str, Feature], book: RuleBook) -> bool:
    feature = features.get(condition.feature)
    return feature is not None and _conformity(condition, feature, book) is Conformity.CONFORMS


def _conformity(condition: Condition, feature: Feature, book: RuleBook) -> Conformity:
    return decide(condition.margin(feature.value), feature.u, false_accept=book.false_accept)


def _judge(rule: Rule, feature: Feature | None, book: RuleBook) -> RuleFinding | None:
    if feature is None:
        if rule.optional:
            return None
        outcome = rule.missing
    else:
        outcome = {
            Conformity.CONFORMS: Outcome.PASS,
            Conformity.FAILS: rule.otherwise,
            Conformity.MARGINAL: rule.marginal,
        }[_conformity(rule.condition, feature, book)]
    return RuleFinding(
        rule=rule.id,
        feature=rule.condition.feature,
        value=None if feature is None else feature.value,
        expanded_uncertainty=None if feature is None or feature.u is None else 2 * feature.u,
        unit=None if feature is None else feature.unit,
        limit=rule.condition.limit,
        outcome=outcome,
        reason=(rule.missing_reason or rule.reason) if feature is None else rule.reason,
    )


def faults(book: RuleBook, units: Mapping[str, str | None]) -> Iterator[str]:
    """Yield what is wrong with a rule book: unknown names, contradictions, what cannot happen.

    Args:
        book: the rules.
        units: the features that exist, and their units.
    """
    yield from _unknown_names(book, units)
    yield from _unsafe_rules(book)
    yield from _contradictions(book)
    yield from _unreachable_grades(book)


def _conditions(book: RuleBook) -> Iterator[tuple[str, Condition]]:
    for rule in book.rules:
        yield f"rule {rule.id}", rule.condition
    for grade in book.grades:
        for condition in grade.conditions:
            yield f"grade {grade.name}", condition


def _unknown_names(book: RuleBook, units: Mapping[str, str | None]) -> Iterator[str]:
    for owner, condition in _conditions(book):
        if condition.feature not in units:
            yield f"{owner} names the feature {condition.feature!r}, which does not exist"
        given = (condition.at_least, condition.at_most, condition.equals)
        if sum(limit is not None for limit in given) != 1:
            yield f"{owner} needs exactly one of at_least, at_most and equals"
    for rule in book.rules:
        if rule.stage not in book.stages:
            yield f"rule {rule.id} stands in the stage {rule.stage!r}, which is not listed"
        for reason in filter(None, (rule.reason, rule.missing_reason)):
            if reason not in book.reasons:
                yield f"rule {rule.id} gives the reason {reason!r}, which has no text"
    for outcome in Outcome:
        if outcome not in book.destinations:
            yield f"no destination is given for {outcome}"


def _unsafe_rules(book: RuleBook) -> Iterator[str]:
    if not 0 < book.false_accept < 0.5:
        yield f"false_accept is {book.false_accept:g}; it must lie between 0 and 0.5"
    identifiers = [rule.id for rule in book.rules]
    for double in sorted({i for i in identifiers if identifiers.count(i) > 1}):
        yield f"two rules are called {double!r}"
    for rule in book.rules:
        if rule.otherwise is Outcome.PASS or rule.marginal is Outcome.PASS:
            yield f"rule {rule.id} passes a panel that does not meet it"
        if rule.missing is Outcome.PASS:
            yield f"rule {rule.id} passes a panel that was not measured; make it optional instead"
    for needed in ("iv_fault", "el_fault", "nameplate_ratio"):
        named = [rule for rule in book.rules if rule.condition.feature == needed]
        if all(rule.optional for rule in named):
            yield f"no rule stops a panel on {needed}, so an unsound measurement could pass"


def _bounds(conditions: list[Condition]) -> tuple[float, float]:
    low = max((c.at_least for c in conditions if c.at_least is not None), default=float("-inf"))
    high = min((c.at_most for c in conditions if c.at_most is not None), default=float("inf"))
    return low, high


def _contradictions(book: RuleBook) -> Iterator[str]:
    groups = [("the rules", [rule.condition for rule in book.rules])]
    groups += [(f"grade {grade.name}", list(grade.conditions)) for grade in book.grades]
    for owner, conditions in groups:
        for name in dict.fromkeys(c.feature for c in conditions):
            about = [c for c in conditions if c.feature == name]
            low, high = _bounds(about)
            wanted = {str(c.equals) for c in about if c.equals is not None}
            if low > high or len(wanted) > 1:
                yield f"{owner} can never be met: the limits on {name} contradict each other"


def _unreachable_grades(book: RuleBook) -> Iterator[str]:
    if not book.grades or book.grades[-1].conditions:
        yield "the last grade must have no conditions, so that every panel that passed has one"
    for index, grade in enumerate(book.grades):
        for better in book.grades[:index]:
            if all(_implied(condition, grade.conditions) for condition in better.conditions):
                yield f"grade {grade.name} is never given: {better.name} takes all its panels"


def _implied(condition: Condition, given: tuple[Condition, ...]) -> bool:
    """Whether every panel that meets ``given`` also meets ``condition``."""
    about = [other for other in given if other.feature == condition.feature]
    low, high = _bounds(about)
    if condition.at_least is not None:
        return low >= condition.at_least
    if condition.at_most is not None:
        return high <= condition.at_most
    return any(other.equals == condition.equals for other in about)
