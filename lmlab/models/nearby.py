"""Which models are on this machine already, and from where another one would come. Looks at no
folder that a name could point to, and asks nobody.
"""

from lmlab.errors import LabError
from lmlab.models.backends import scheme
from lmlab.models.refs import RUN, ModelRef, is_elsewhere
from lmlab.models.store import FolderStore


def source(name: str, store: FolderStore) -> str:
    """From where the parts of a model would be had that did not come with lmlab and were never
    fetched, as in ‘x/y from huggingface.co’; empty where all of it is here, or can be had nowhere.
    """
    text = name.strip()
    try:
        # A name is not tried as a folder's before somebody has agreed.
        ref = ModelRef.split(text)
    except LabError:
        return ""
    parts = [(ref.name, ref.revision, store.embedded())]
    if ref.adapter:
        own = store.embedded_adapters()
        parts.append((ref.adapter, None, [*own, *(f"adapters/{one}" for one in own)]))
    wanted = [_source(part, revision, store) for part, revision, own in parts if part not in own]
    return " and ".join(one for one in wanted if one)


def _source(name: str, revision: str | None, store: FolderStore) -> str:
    from lmlab.models.hub import endpoint

    settings = store.settings
    if name.startswith(RUN) or scheme(name):
        return ""
    if store.is_id(name):
        if settings.offline or not settings.may_fetch(name):
            return ""
        if not revision and _is_fetched(name):
            return ""
        return f"‘{name}’ from {endpoint().partition('://')[2] or endpoint()}"
    if is_elsewhere(name) or not settings.allow_local:
        return ""
    return f"the folder ‘{name[:200]}’ of this machine"


def _is_fetched(name: str) -> bool:
    from lmlab.models.hub import cache_dir

    return (cache_dir() / f"models--{name.replace('/', '--')}").is_dir()
