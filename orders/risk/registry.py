"""Which model scores, and which is tried beside it."""

import logging
import time
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from orders import clock
from orders.models import Role, TrainedModel
from orders.risk.model import BadModel, TableModel, load, read
from orders.risk.rules import RiskModel, WeightedRules, fingerprint

logger = logging.getLogger(__name__)

FRESH = 30  # seconds after which a process looks whether a model was promoted
LONGEST_VERSION = 40  # characters, of TrainedModel.version
SHIPPED = Path(__file__).with_name("models") / "default.json"


@dataclass(frozen=True)
class Scorer:
    """What scores, by name; `fault` says why it is the rules that stand in for the model."""

    model: RiskModel
    version: str
    fault: str = ""


@dataclass(frozen=True)
class Scorers:
    champion: Scorer
    challenger: Scorer | None
    read_at: float


RULES = Scorer(WeightedRules(), f"rules-{fingerprint()}")
known: Scorers | None = None


def scorers() -> Scorers:
    """The models in use; asks the database at most every FRESH seconds."""
    global known
    if known is None or time.monotonic() - known.read_at > FRESH:
        stored = {model.role: model for model in TrainedModel.objects.exclude(role=Role.RETIRED)}
        champion, challenger = stored.get(Role.CHAMPION), stored.get(Role.CHALLENGER)
        tried = stored_scorer(challenger) if challenger else None
        known = Scorers(
            champion=stored_scorer(champion) if champion else configured(),
            challenger=None if tried is None or tried.fault else tried,
            read_at=time.monotonic(),
        )
    return known


def forget() -> None:
    """Ask the database at the next score."""
    global known
    known = None


def stored_scorer(stored: TrainedModel) -> Scorer:
    try:
        return Scorer(read(stored.table), stored.version)
    except BadModel as error:
        return stand_in(error)


def configured() -> Scorer:
    """The model of QS_RISK_MODEL; without one the rules."""
    if settings.RISK_MODEL is None:
        return RULES
    try:
        model = load(settings.RISK_MODEL)
    except BadModel as error:
        return stand_in(error)
    return Scorer(model, model.version)


def stand_in(error: BadModel) -> Scorer:
    logger.error("the rules stand in for the model: %s", error)
    return Scorer(RULES.model, RULES.version, fault=f"The model cannot be read ({error}); the rules stand in.")


def reference() -> TableModel | None:
    """The model whose training data drift is measured against: the champion, or the one that is shipped."""
    model = scorers().champion.model
    if isinstance(model, TableModel):
        return model
    try:
        return load(SHIPPED)
    except BadModel:
        return None


class NotPromoted(ValueError):
    """The text says why the model cannot have the role."""


def store(table: dict[str, object], card: str, role: Role) -> TrainedModel:
    """Keep a model and give it this role; whoever had it retires. Raises BadModel, NotPromoted."""
    model, now = read(table), clock.now()
    if len(model.version) > LONGEST_VERSION:
        raise BadModel(f"its version has more than {LONGEST_VERSION} characters")
    if before := TrainedModel.objects.filter(version=model.version).first():
        if before.table != table:
            raise NotPromoted(f"another model is stored as version {model.version}")
        if before.role == Role.CHAMPION and role == Role.CHALLENGER:
            raise NotPromoted(f"{model.version} is the champion; as challenger it would leave nobody to score")
    TrainedModel.objects.filter(role=role).exclude(version=model.version).update(role=Role.RETIRED, role_since=now)
    stored, _ = TrainedModel.objects.update_or_create(
        version=model.version,
        defaults={"card": card, "role": role, "role_since": now},
        create_defaults={"table": table, "card": card, "role": role, "role_since": now, "stored_at": now},
    )
    forget()
    return stored


def retire() -> int:
    """No stored model scores any more; says how many did."""
    forget()
    return TrainedModel.objects.exclude(role=Role.RETIRED).update(role=Role.RETIRED, role_since=clock.now())
