"""Includes point one way only: base to the outside world to dataset to checkpoint to model to pipeline to services."""

import repository

LAYERS = [
    {"base"},
    {"rpc", "metrics", "http", "storage", "object_store", "image", "plot", "plan"},
    {"dataset", "shapes", "openai"},
    {"prompts"},
    {"checkpoint"},
    {"model"},
    {"diffusion"},
    {"pipeline"},
    {"training"},
    {"evaluation"},
]
RANK = {folder: rank for rank, layer in enumerate(LAYERS) for folder in layer}
TORCH = ("torch/", "ATen/", "c10/", "caffe2/")
TORCH_FREE = ("common/base/", "common/rpc/", "common/metrics/", "common/http/", "common/storage/", "common/object_store/",
              "common/image/",
              "common/plan/", "common/plot/", "common/dataset/", "common/shapes/", "common/openai/", "common/prompts/",
              "common/checkpoint/", "common/evaluation/", "services/")
OURS = repository.sources(".cc", ".h", under=["common/", "services/"])


def folder_of(name):
    """"common/model/unet/unet.h" -> "model"; a file right in common/ belongs to no layer."""
    parts = name.split("/")
    return parts[1] if parts[0] == "common" and len(parts) > 2 else None


def test_every_folder_of_common_has_a_place():
    assert {folder_of(n) for n in OURS if folder_of(n)} <= set(RANK)


def test_common_includes_only_downwards():
    wrong = []
    for name in OURS:
        here = folder_of(name)
        for header in repository.includes(name):
            there = folder_of(header)
            if here and (header.startswith(("services/", "tests/")) or (there and RANK[there] > RANK[here])):
                wrong.append(f"{name} includes {header}")
    assert not wrong, "\n".join(wrong)


def test_folders_of_one_layer_form_no_circle():
    edges = {folder: set() for folder in RANK}
    for name in OURS:
        here = folder_of(name)
        for header in repository.includes(name):
            there = folder_of(header)
            if here and there and there != here:
                edges[here].add(there)
    done = set()
    while True:
        ready = {f for f in edges if f not in done and edges[f] <= done}
        if not ready:
            break
        done |= ready
    assert done == set(edges), f"a circle among {sorted(set(edges) - done)}"


def test_services_include_themselves_and_common():
    wrong = []
    for name in repository.sources(".cc", ".h", under=["services/"]):
        own = "/".join(name.split("/")[:2]) + "/"
        for header in repository.includes(name):
            if header.startswith("tests/") or (header.startswith("services/") and not header.startswith(own)):
                wrong.append(f"{name} includes {header}")
    assert not wrong, "\n".join(wrong)


def test_torch_stays_below_the_pipeline():
    wrong = []
    for name in repository.sources(".cc", ".h", under=TORCH_FREE):
        known = repository.reachable(name)
        wrong += [repository.chain(name, h, known) for h in known if h.startswith(TORCH)]
    assert not wrong, "\n".join(wrong)


def test_generated_protobuf_code_never_meets_torch():
    """The torch wheel ships protobuf headers of another version: a unit that sees both does not compile."""
    wrong = []
    for name in repository.sources(".cc", ".h", under=["common/", "services/", "tests/"]):
        known = repository.reachable(name)
        torch = [h for h in known if h.startswith(TORCH)]
        if torch and any(h.endswith(".pb.h") for h in known):
            wrong.append(repository.chain(name, torch[0], known))
    assert not wrong, "\n".join(wrong)


def test_headers_name_files_that_exist():
    """A quoted include names its file from the repository's root, or generated code."""
    wrong = []
    for name in repository.sources(".cc", ".h", under=["common/", "services/", "tests/"]):
        for header in repository.includes(name):
            if header.startswith(("common/", "services/", "tests/")) and not (repository.ROOT / header).is_file():
                wrong.append(f"{name} includes {header}")
    assert not wrong, "\n".join(wrong)


def test_json_comes_through_base():
    """Which compiles the library's slow parts once for all."""
    including = {name for name in repository.sources(".cc", ".h") if "nlohmann/json.hpp" in repository.includes(name)}
    assert including == {"common/base/json.h"}
