"""Putting a copy of the page on a Hugging Face Space: what it costs, whether the account may, and
sending it. How large files travel is huggingface_hub's business; it is imported only when the Hub
is asked.
"""

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from lmlab.errors import InputError
from lmlab.hosting.hub_offers import AN_HOUR, ZERO
from lmlab.hosting.space import FOLDERS, STORAGE, Parcel
from lmlab.numbers import gigabytes

MARK = "lmlab"  # the tag of the README by which a Space is known as one of this page's
MOST_BYTES = 1_000_000_000
_VARIABLE = re.compile(r"LMLAB_[A-Z_]{1,60}")
T = TypeVar("T")
_SECRET = re.compile(r"[A-Z][A-Z0-9_]{0,60}")

KEPT = "The files go in one commit, so that the Space is as it was before."
PAID = f"Two Spaces with --hardware {ZERO} (ZeroGPU) cost nothing; see `lmlab deploy --dry-run`."


@dataclass(frozen=True)
class Plan:
    """How a Space is to be."""

    space: str  # owner/name
    hardware: str = ""  # as the Hub calls it; empty: ZeroGPU for a new Space, else as it is
    private: bool = False  # whether a new Space is hidden from others
    variables: Mapping[str, str] = field(default_factory=dict)  # settings of the page, LMLAB_…
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    bucket: str = ""  # owner/name of the storage that outlives the Space
    replace: bool = False  # whether a Space that is something else becomes this page
    rebuild: bool = False  # whether it starts from nothing afterwards, its packages included

    @property
    def owner(self) -> str:
        """To whom it belongs."""
        return self.space.partition("/")[0]


@dataclass(frozen=True)
class Found:
    """What the Hub told before anything was sent."""

    exists: bool
    said: tuple[str, ...]  # what there is to know, a line each


def check(plan: Plan, what: Parcel) -> None:
    """Refuse what is no name of a Space, a bucket, a setting or a secret, and what is too large.

    Raises:
        InputError: says which.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    for name, kind in ((plan.space, "a Space"), (plan.bucket or plan.space, "a bucket")):
        try:
            validate_repo_id(name)
            known = name.count("/") == 1
        except HFValidationError:
            known = False
        if not known:
            raise InputError(f"‘{name[:80]}’ is no name of {kind}.", "Write owner/name.")
    for name in plan.variables:
        if not _VARIABLE.fullmatch(name):
            raise InputError(f"‘{name[:60]}’ is no setting.", "Settings are named LMLAB_….")
    for name in plan.secrets:
        if not _SECRET.fullmatch(name):
            raise InputError(f"‘{name[:60]}’ is no name of a secret.", "Write HF_TOKEN, say.")
    if what.n_bytes > MOST_BYTES:
        raise InputError(
            f"{gigabytes(what.n_bytes)} are more than a page has.",
            "Look with --dry-run --list at what lies in assets/ that does not belong there.",
        )


def look(plan: Plan, api: Any) -> Found:
    """Ask the Hub who this is, whether he may, and what there is; nothing is sent.

    Raises:
        InputError: no token or one that may not write, an owner that the account has no part in,
            or another Space of that name; what ``hub_errors.refused`` says.
    """
    who = asked(plan.space, api.whoami)
    said = _account(plan, who)
    there = asked(plan.space, partial(_there, api, plan.space))
    if there is not None and MARK not in (there.tags or []) and not plan.replace:
        raise InputError(
            f"‘{plan.space}’ is another Space already.",
            "Take another name, or have it become this page with --replace.",
        )
    if plan.hardware in AN_HOUR:
        said += [
            f"The Hub says today: {one.pretty_name} ${one.unit_cost_usd:g} a {one.unit_label}."
            for one in asked(plan.space, api.list_spaces_hardware)
            if one.name == plan.hardware
        ]
    is_new = "It is there and gets what is new." if there is not None else "It will be made."
    return Found(there is not None, (*said, f"Space {plan.space}: {is_new}"))


def _there(api: Any, space: str) -> Any:
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        return api.space_info(space)
    except RepositoryNotFoundError as error:
        if error.response.status_code == 401:
            raise
        return None


def looked(plan: Plan) -> tuple[str, ...]:
    """What ``look`` tells, for a dry run; without a token the Hub is not asked."""
    from huggingface_hub import get_token

    if not get_token():
        return ("The Hub was not asked: there is no token here.",)
    return look(plan, _client()).said


def _account(plan: Plan, who: Mapping[str, Any]) -> list[str]:
    """What kind of account it is, and what that means for the plan.

    Raises:
        InputError: it may not.
    """
    orgs = {org.get("name"): org for org in who.get("orgs") or []}
    role = ((who.get("auth") or {}).get("accessToken") or {}).get("role")
    if role == "read":
        raise InputError("This token may only read.", "Make one that may write, and log in anew.")
    if plan.owner not in (who.get("name"), *orgs):
        raise InputError(
            f"‘{plan.owner}’ is neither this account nor an organisation of its.",
            f"This account is {who.get('name')}.",
        )
    own, pro = plan.owner == who.get("name"), bool(who.get("isPro"))
    payer, hardware = (who if own else orgs[plan.owner]), plan.hardware or ZERO
    kind = ("PRO" if pro else "free") if own else "organisation"
    said = [
        f"Account {plan.owner}: {kind}, {'may' if payer.get('canPay') else 'cannot'} be billed."
    ]
    if hardware == "cpu-basic" and own and not pro:
        said.append("Note: the Hub makes Spaces on cpu-basic for paid plans only.")
    if hardware in AN_HOUR and not payer.get("canPay"):
        said.append(f"Note: {hardware} is billed by the hour, and there is no way of paying.")
    if hardware == ZERO and own and who.get("emailVerified") is False:
        said.append("Note: the Hub lends ZeroGPU to accounts whose e-mail address is verified.")
    return said


def deploy(
    what: Parcel,
    plan: Plan,
    hub: Callable[[], Any] | None = None,
    say: Callable[[str], None] = print,
) -> str:
    """Make the Space if there is none, set it up, send the files in one commit; its address.

    Args:
        hub: makes the Hub's client; by default huggingface_hub's, with the token of ``hf auth
            login`` or HF_TOKEN.
        say: is told what ``look`` found.

    Raises:
        InputError: what ``check`` and ``look`` raise, or the Hub refuses; never tells a token.
    """
    check(plan, what)
    api = asked(plan.space, hub or _client)
    found = look(plan, api)
    for line in found.said:
        say(line)
    volumes = asked(plan.bucket or plan.space, partial(_volumes, api, plan))
    asked(plan.space, partial(_set_up, api, plan, volumes, found.exists))
    asked(plan.space, partial(_send, api, plan, what))
    return f"{api.endpoint}/spaces/{plan.space}"


def _send(api: Any, plan: Plan, what: Parcel) -> None:
    with _staged(what, plan) as folder:
        api.upload_folder(
            repo_id=plan.space,
            repo_type="space",
            folder_path=folder,
            # What is no longer part of the page goes; what somebody put beside it stays.
            delete_patterns=[f"{folder}/*" for folder in FOLDERS],
            commit_message="The page as it is",
        )
    if plan.rebuild:
        api.restart_space(plan.space, factory_reboot=True)


def _client() -> Any:
    from huggingface_hub import HfApi

    return HfApi()


def _volumes(api: Any, plan: Plan) -> list[Any] | None:
    """The bucket, made if there is none, where the Space will find it."""
    if not plan.bucket:
        return None
    from huggingface_hub import Volume

    api.create_bucket(plan.bucket, private=True, exist_ok=True)
    return [Volume(type="bucket", source=plan.bucket, mount_path=str(STORAGE))]


def _set_up(api: Any, plan: Plan, volumes: list[Any] | None, exists: bool) -> None:
    if not exists:
        pairs = [
            [{"key": name, "value": value} for name, value in given.items()]
            for given in (plan.variables, plan.secrets)
        ]
        api.create_repo(
            plan.space, repo_type="space", space_sdk="gradio", private=plan.private,
            space_hardware=plan.hardware or ZERO, space_volumes=volumes,
            space_variables=pairs[0] or None, space_secrets=pairs[1] or None,
        )  # fmt: skip
        return
    for name, value in plan.variables.items():
        api.add_space_variable(plan.space, name, value)
    for name, value in plan.secrets.items():
        api.add_space_secret(plan.space, name, value)
    now = api.get_space_runtime(plan.space)
    if volumes:
        others = [one for one in now.volumes or [] if one.mount_path != str(STORAGE)]
        api.set_space_volumes(plan.space, [*others, *volumes])
    if plan.hardware and now.requested_hardware != plan.hardware:
        api.request_space_hardware(plan.space, plan.hardware)


@contextmanager
def _staged(what: Parcel, plan: Plan) -> Iterator[str]:
    """A folder of what is sent: the files, and a README that knows its own Space's picture."""
    with tempfile.TemporaryDirectory(prefix="lmlab-") as name:
        for path, _ in what.files:
            there = Path(name, path)
            there.parent.mkdir(parents=True, exist_ok=True)
            there.symlink_to(what.root / path)
        readme, there = (
            (what.root / "README.md").read_text(encoding="utf-8"),
            Path(name, "README.md"),
        )
        picture = (
            f"https://huggingface.co/spaces/{plan.space}/resolve/main/docs/images/likelihood.png"
        )
        there.unlink()
        there.write_text(
            readme.replace("\n---\n", f"\nthumbnail: {picture}\n---\n", 1), encoding="utf-8"
        )
        yield name


def asked(name: str, call: Callable[[], T]) -> T:
    """What a call of huggingface_hub gives.

    Raises:
        InputError: the Hub says no; no part of the library's error, which may hold a token.
    """
    from lmlab.runs.hub_errors import refused

    try:
        return call()
    except InputError:
        raise
    except Exception as error:
        failed = refused(error, name, kept=KEPT, paid=PAID)
    raise failed
