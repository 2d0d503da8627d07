"""A course: the scenes of a folder, in the order of their files' names, or some of those that ship,
as a course file lists them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from lmlab.assets import assets_dir
from lmlab.errors import InputError
from lmlab.features import Feature
from lmlab.page.scenes.scene import Scene, parse
from lmlab.text.strict_yaml import load_mapping

MOST = 200
LARGEST = 40_000  # bytes of a file
ALL = 300_000  # bytes of all files: some seconds of reading


def shipped(features: Iterable[Feature] = ()) -> tuple[Scene, ...]:
    """The chapter that comes with lmlab, then the scenes that features bring."""
    own = (one.folder / "scenes" for one in features)
    folders = [assets_dir() / "scenes", *(folder for folder in own if folder.is_dir())]
    return unique(scene for folder in folders for scene in course(folder))


def chosen(wanted: Path | None, features: Iterable[Feature] = ()) -> tuple[Scene, ...]:
    """The scenes that a page is asked to show: those that ship, a folder's, or those of a course
    file; that is a path, or the name of one that ships, as ``20-minutes``.

    Raises:
        InputError: what ``course`` raises; a course file with a mistake, or with an unknown scene.
    """
    if wanted is None:
        return shipped(features)
    own = assets_dir() / "courses" / f"{wanted.name}.yaml"
    file = own if wanted.name == str(wanted) and not wanted.exists() else wanted
    return _listed(file, shipped(features)) if file.is_file() else course(wanted)


def _listed(file: Path, known: Sequence[Scene]) -> tuple[Scene, ...]:
    """The scenes that a course file names, in its order."""
    raw = load_mapping(_text(file), what=f"course {file.name}")
    names, by_name = raw.get("scenes"), {scene.name: scene for scene in known}
    if set(raw) != {"title", "scenes"} or not isinstance(names, list) or not names:
        raise InputError(f"{file.name} is no course.", "It has a title and a list of scenes.")
    for name in names:
        if not isinstance(name, str) or name not in by_name:
            said = f"{file.name}: there is no scene ‘{str(name)[:60]}’."
            raise InputError(said, f"There are: {', '.join(by_name)}.")
    return unique(by_name[name] for name in names)


def course(folder: Path) -> tuple[Scene, ...]:
    """All scenes of a folder.

    Raises:
        InputError: there is no such folder, no scene in it, or a mistake in one: says the file and
            the field.
    """
    if not folder.is_dir():
        raise InputError(
            f"There is no folder ‘{folder}’.", "Give a folder of scene files (*.yaml), or a course."
        )
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise InputError(f"There is no scene in ‘{folder}’.", "A scene is a file ending in .yaml.")
    return parsed([(file.name, _text(file)) for file in files[: MOST + 1]])


def _text(file: Path) -> str:
    if file.stat().st_size > LARGEST:
        raise InputError(f"{file.name} is larger than {LARGEST // 1000} kB.")
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{file.name} is not UTF-8 text.") from None


def parsed(files: Sequence[tuple[str, str]]) -> tuple[Scene, ...]:
    """The scenes of some files, by their names and texts; each scene's name once.

    Raises:
        InputError: too many files or too much text, or what ``parse`` and ``unique`` raise.
    """
    if not 1 <= len(files) <= MOST:
        raise InputError(f"From 1 to {MOST} scene files are read.", "Take fewer of them.")
    total = sum(len(text.encode("utf-8", "replace")) for _, text in files)
    if total > ALL:
        raise InputError(
            f"The scene files have {total // 1000} kB together; at most {ALL // 1000} kB are read.",
            "Take fewer of them, or shorter ones.",
        )
    return unique(parse(text, name) for name, text in files)


def unique(scenes: Iterable[Scene]) -> tuple[Scene, ...]:
    """The scenes, each name once.

    Raises:
        InputError: two have one name.
    """
    found: dict[str, Scene] = {}
    for scene in scenes:
        if scene.name in found:
            raise InputError(f"Two scenes are called ‘{scene.name}’.", "Rename one of the files.")
        found[scene.name] = scene
    return tuple(found.values())
