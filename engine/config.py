"""Configuration to (Recipe, Job): Hydra composes, plain data are checked, and nothing in them is ever executed.

Where a scene's `usd` lies: that of a scene yaml of your own (`--config-dir my_conf +scene=mine`, that is the file
my_conf/scene/mine.yaml) is looked for in the folder of the yaml, then in the working folder, then among the shipped
scenes; that of a shipped yaml among the shipped scenes, then in the working folder. An absolute path is taken as it is.
The recipe keeps the relative path (of an absolute one only the file's name), and the content of the file through its
hash, so the id says nothing of the machine.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from engine._layout import conf_folder, scenes_folder
from engine.errors import UserError
from engine.plain import from_plain, to_plain
from engine.plugins import load_plugins
from engine.recipe import Job, Loading, Output, Recipe
from engine.schema import NOT_CONFIGURED, RIG_FROM_SCENE, RunConfig, SceneGroupConfig

if TYPE_CHECKING:
    from omegaconf import DictConfig

HYDRA_VERSION_BASE = "1.3"
SCHEMA_NAME = "schema"
LOADING_KEYS = tuple(field.name for field in dataclasses.fields(Loading))  # below `scene`
NOT_PORTABLE = (  # keys of overrides: where, by whom, how
    *("out", "worker", "workers", "device", "batch", "scene.usd"),
    *(f"scene.{key}" for key in LOADING_KEYS),
)
HYDRAS = r"(^|@)\s*hydra\b"  # key: it decides what Hydra itself loads and runs
DATASET_PATH = r"\bdataset\s*:"  # of an empirical law, whose numbers the recipe keeps
ABSOLUTE_PATH = r"[\s\"'\[]*(/|~|[A-Za-z]:[\\/]|file:)"  # as a value, quoted, or first of a list
JOB_KEYS = tuple(field.name for field in dataclasses.fields(Job) if field.name not in NOT_CONFIGURED)
RECIPE_KEYS = tuple(field.name for field in dataclasses.fields(Recipe))


@dataclass(frozen=True)
class Composed:
    """What Hydra made: the tree, which choice each group took, and the folders it searched, nearest first."""

    tree: DictConfig
    choices: Mapping[str, str | None]
    folders: tuple[Path, ...]
    overrides: tuple[str, ...]


def compose(*overrides: str, config_dir: Path | str | None = None) -> tuple[Recipe, Job]:
    """Return the recipe and job of a command line, as `python -m engine.run` reads it.

    Args:
        overrides: Such as "+scene=warehouse", "count=8".
        config_dir: Folder with groups of your own, like the option `--config-dir`.
    Raises:
        UserError: One line that says which key or choice is wrong and which are known.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from engine.config_errors import one_line, plain_error_line

    extra = [] if config_dir is None else [f"hydra.searchpath=[file://{Path(config_dir).resolve()}]"]
    register_schema()
    try:
        with initialize_config_dir(str(conf_folder()), version_base=HYDRA_VERSION_BASE):
            tree = hydra_compose("config", [*extra, *overrides], return_hydra_config=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(one_line(error)) from error
    except ValueError as error:
        line = plain_error_line(error)
        if line is None:
            raise
        raise UserError(line) from error
    runtime = tree.hydra.runtime
    choices, folders = dict(runtime.choices), source_folders(runtime.config_sources)
    OmegaConf.set_struct(tree, False)
    del tree["hydra"]
    return recipe_and_job(Composed(tree, choices, folders, overrides))


def register_schema() -> None:
    """Make the typed schema known to Hydra, under the name that conf/config.yaml begins with."""
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store(name=SCHEMA_NAME, node=RunConfig)


def source_folders(config_sources: Sequence[Any]) -> tuple[Path, ...]:
    """Return the folders among Hydra's configuration sources, in the order of search."""
    return tuple(Path(source.path) for source in config_sources if source.schema == "file")


def recipe_and_job(composed: Composed) -> tuple[Recipe, Job]:
    """Return the validated recipe and job of a composed configuration.

    Raises:
        UserError: One line that says which key or choice is wrong and which are known.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from engine.config_errors import one_line

    name = composed.choices.get("scene")
    if name is None:
        raise UserError(f"no scene chosen; add +scene=NAME, one of: {', '.join(scenes(composed.folders)) or 'none'}")
    plugins = load_plugins()
    _refuse_unknown(composed.tree)
    _refuse_targets(OmegaConf.to_container(composed.tree, resolve=False), "")
    try:
        if OmegaConf.is_missing(composed.tree.scene, "name"):
            composed.tree.scene.name = name
        recipe_tree = _recipe_tree(composed.tree)
        recipe_tree["plugins"] = list(plugins)
        job_tree = {key: _resolved(composed.tree, key) for key in JOB_KEYS}
    except OmegaConfBaseException as error:
        raise UserError(one_line(error)) from error
    usd = find_usd(recipe_tree["scene"]["usd"], name, composed.folders)
    recipe_tree["scene"]["usd"] = _portable(recipe_tree["scene"]["usd"])
    loading = {key: recipe_tree["scene"].pop(key) for key in LOADING_KEYS}
    loading["sandbox"] = loading["sandbox"].lower()  # YAML's true
    named = _class_map_of_file(recipe_tree["scene"].pop("class_map_file"), usd)
    recipe_tree["scene"]["class_map"] = {**named, **recipe_tree["scene"]["class_map"]}
    try:
        recipe = from_plain(Recipe, recipe_tree, "recipe")
        job_tree["loading"] = from_plain(Loading, loading, "scene")
    except UserError as error:  # on the command line the keys have no `recipe` in front
        raise UserError(str(error).removeprefix("recipe").lstrip(".: ")) from error
    return recipe, _job(job_tree, usd, portable_overrides(composed.overrides))


def _class_map_of_file(name: str | None, usd: Path) -> dict[str, str]:
    """Return the patterns of a class map beside the scene or in the working folder; the recipe keeps them all.

    Raises:
        UserError: If it is in neither place, or is no class map.
    """
    from engine.scene.class_map import read_class_map

    if name is None:
        return {}
    places = [folder / name for folder in (usd.parent, Path.cwd())]
    found = next((path for path in places if path.is_file()), None)
    if found is None:
        raise UserError(f"scene.class_map_file: there is no {places[0]} and no {places[1]}")
    return read_class_map(found)


def portable_overrides(overrides: Sequence[str]) -> tuple[str, ...]:
    """Return the overrides that every machine and every worker of a dataset may share.

    Left out is what says where and by whom: the keys of `NOT_PORTABLE`, all of Hydra's own, any value that is an
    absolute path, and laws that read a dataset.
    """
    kept = []
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        own = key.strip() in NOT_PORTABLE or re.search(HYDRAS, key)
        if not own and not re.match(ABSOLUTE_PATH, value) and not re.search(DATASET_PATH, value):
            kept.append(override)
    return tuple(kept)


def find_usd(usd: str, scene: str, folders: Sequence[Path]) -> Path:
    """Return the absolute path of a scene's root layer; the docstring of this file says where it is looked for.

    Raises:
        UserError: If it is in none of the places; the message names them.
    """
    yaml = next((f / "scene" / f"{scene}.yaml" for f in folders if (f / "scene" / f"{scene}.yaml").is_file()), None)
    shipped, here = scenes_folder(), Path.cwd()
    if yaml is None or yaml.is_relative_to(conf_folder()):
        places = [shipped, here]
    else:
        places = [yaml.resolve().parent, here, shipped]
    candidates = [Path(usd).expanduser()] if Path(usd).expanduser().is_absolute() else [p / usd for p in places]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    raise UserError(f"scene '{scene}': no file {' or '.join(str(c) for c in candidates)}; set scene.usd")


def configured_usd(scene: str, folder: Path) -> str | None:
    """Return what a configuration folder says that a scene's root layer is; None where it does not say so plainly."""
    import yaml

    file = folder / "scene" / f"{scene}.yaml"
    if not file.is_file():
        return None
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: {' '.join(str(error).split())}") from None
    usd = data.get("usd") if isinstance(data, dict) else None
    return usd if isinstance(usd, str) and "${" not in usd else None


def scenes(folders: Sequence[Path]) -> tuple[str, ...]:
    """Return the names of the scenes in these configuration folders, sorted."""
    return tuple(sorted({path.stem for folder in folders for path in (folder / "scene").glob("[!_]*.yaml")}))


def _resolved(tree: DictConfig, key: str) -> Any:
    """Return the value of a key of the job, which may refer to anything: `out: /data/${scene.name}-${seed}`."""
    from omegaconf import ListConfig, OmegaConf

    value = tree[key]
    return OmegaConf.to_container(value, resolve=True) if isinstance(value, ListConfig) else value


def _recipe_tree(tree: DictConfig) -> dict[str, Any]:
    """Return the recipe's plain data. Interpolations see the recipe's own keys only, so no path or secret gets in."""
    from omegaconf import OmegaConf

    from engine.randomize.kinds import checked_randomizers
    from engine.randomize.laws.empirical import read_empirical
    from engine.randomize.laws.rules import checked_laws

    keys = [key for key in tree if key in RECIPE_KEYS]
    part = OmegaConf.masked_copy(tree, keys)
    written = OmegaConf.to_container(part, resolve=False)
    assert isinstance(written, dict)
    for key in LOADING_KEYS:  # these are the job's, where folders may differ by machine
        written["scene"].pop(key, None)
    _refuse_resolvers(written, "")
    plain = OmegaConf.to_container(part, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    data: dict[str, Any] = {str(key): value for key, value in plain.items()}
    scene_randomize, scene_rig, scene_groups = (data["scene"].pop(key) for key in ("randomize", "rig", "groups"))
    for name in RIG_FROM_SCENE:
        if data["rig"][name] is None:
            data["rig"][name] = scene_rig[name]
    entries = {**scene_randomize, **data["randomize"]}
    entries = {name: read_empirical(e, f"randomize.{name}") for name, e in entries.items() if e is not None}
    data["randomize"] = checked_randomizers(entries)
    data["laws"]["groups"] = {**_groups_over(scene_groups, entries), **data["laws"]["groups"]}
    data["laws"] = checked_laws(data["randomize"], read_empirical(data["laws"], "laws"))
    data["write"] = {name: entry for name, entry in data["write"].items() if entry is not None}
    for sensor in ("depth_sensor", "lidar"):
        data[sensor] = data[sensor] or None
    data["outputs"] = data["outputs"] or _needed_outputs(data["write"])
    data["write"] = _checked_writers(data["write"], data["outputs"])
    lit = [name for name in ("rgb", "rgb_linear", "shadow") if name in data["outputs"]]
    if data["rig"]["quality"] == "labels" and lit:
        repair = "take recipe=geometry or" if lit[0] == "rgb" else "leave out what writes it, or take"
        raise UserError(f"quality=labels computes no light, but {lit[0]} is asked for; {repair} quality=direct")
    return data


def _groups_over(groups: Mapping[str, Any], entries: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scene's own groups of laws; one of a randomiser that was removed goes with it."""
    return {
        name: group
        for name, group in groups.items()
        if group is not None and all(str(key).split(".", 1)[0] in entries for key in group.get("keys", ()))
    }


def _needed_outputs(write: Mapping[str, Any]) -> list[str]:
    """Return what the writers need, in the order of the known outputs; ids at least, as every label comes from them."""
    import engine.write.plan  # noqa: F401 - registers the writers
    from engine.registry import WRITERS

    kinds = [entry.get("kind") for entry in write.values() if isinstance(entry, Mapping)]
    known = [WRITERS.get(kind).params for kind in kinds if kind in WRITERS.kinds()]
    needed = {"instance", *(output for params in known for output in getattr(params, "OUTPUTS", ()))}
    return [output for output in get_args(Output) if output in needed]


def _checked_writers(write: Mapping[str, Any], outputs: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the entries as a recipe stores them: checked, with every key written out."""
    from engine.write.plan import read_writers

    for name, entry in write.items():
        if not isinstance(entry, Mapping):
            raise UserError(f"write.{name}: needs a mapping with a kind")
    writers = read_writers(write, tuple(outputs))
    params: dict[str, object] = {writer.name: writer.params for writer in writers.frame}
    params.update({writer.name: writer.params for writer in writers.dataset})
    return {name: {"kind": entry["kind"], **to_plain(params[name])} for name, entry in write.items()}


def _job(data: dict[str, Any], usd: Path, overrides: tuple[str, ...]) -> Job:
    if data["out"] is not None:
        data["out"] = Path(data["out"]).expanduser()
    if data["worlds"] is not None:
        data["worlds"] = tuple(data["worlds"])
    try:
        return Job(usd=usd, overrides=overrides, **data)
    except ValueError as error:
        raise UserError(str(error)) from error


def _portable(usd: str) -> str:
    """Return the path as the recipe keeps it: relative and inside its folder, else only the file's name."""
    path = Path(usd)
    return path.name if path.is_absolute() or ".." in path.parts or usd.startswith("~") else path.as_posix()


def _refuse_unknown(tree: DictConfig) -> None:
    """Refuse keys that `+key=value` put where nothing reads them; deeper ones are refused by their dataclasses."""
    from engine.config_errors import unknown_key

    for where, node, known in (
        ("", tree, tuple(get_type_hints(RunConfig))),
        ("scene.", tree.scene, tuple(get_type_hints(SceneGroupConfig))),
        ("scene.rig.", tree.scene.rig, RIG_FROM_SCENE),
    ):
        for key in map(str, node):
            if key not in known:
                raise UserError(unknown_key(f"{where}{key}", known))


def _refuse_targets(data: object, where: str) -> None:
    """Refuse the keys by which Hydra's instantiate would call something."""
    for key, value, path in _entries(data, where):
        if key in ("_target_", "_partial_", "_args_", "_recursive_", "_convert_"):
            raise UserError(
                f"{path}: nothing in a configuration is executed; name a registered kind with 'kind:' instead"
            )
        _refuse_targets(value, path)


def _refuse_resolvers(data: object, where: str) -> None:
    """Refuse `${resolver:...}` in a recipe: what it gives differs by machine, and may be a secret."""
    if isinstance(data, str) and _calls_resolver(data):
        raise UserError(f"{where}: a recipe may not hold '{data}'; write the value itself, or use it in 'out' only")
    for _, value, path in _entries(data, where):
        _refuse_resolvers(value, path)


def _calls_resolver(text: str) -> bool:
    """Return whether a colon stands between `${` and its `}`, at any depth: a resolver's name may be nested too."""
    depth = 0
    for i, character in enumerate(text):
        if text.startswith("${", i):
            depth += 1
        elif character == "}" and depth:
            depth -= 1
        elif character == ":" and depth:
            return True
    return False


def _entries(data: object, where: str) -> list[tuple[object, object, str]]:
    if isinstance(data, Mapping):
        return [(key, value, f"{where}.{key}" if where else str(key)) for key, value in data.items()]
    if isinstance(data, list):
        return [(None, value, f"{where}[{i}]") for i, value in enumerate(data)]
    return []
