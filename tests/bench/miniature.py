"""Times an edit with the miniature, end to end through gRPC by the client, and beside diffusers in the same run.

usage: miniature.py [--steps 30] [--edits 8] [--threads 2]

Needs the release build and the test requirements. "first" is from the start of the server's process to the first answer;
"edit" the median of single edits after it, photo and answer as PNG files; diffusers: the same from_pretrained, the same
pictures and seeds in memory. Prints ours, diffusers', their ratio and the target.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
EDIT = ROOT / "deploy" / "models" / "shapes" / "edit"
INSTRUCTION = "put it on grass"


def draw(folder):
    subprocess.run([ROOT / "build/bin/ip2p", "shapes", "draw", "--out-dir", folder, "--count", "1", "--seed", "5"],
                   check=True, capture_output=True)  # fmt: skip
    return next(pathlib.Path(folder).rglob("*.png"))


def ours(scene, options):
    """(seconds from process start to the first answer, median seconds of an edit)."""
    import grpc

    sys.path.insert(0, str(options.stubs))
    from ip2p.edit.v1 import edit_pb2, edit_service_pb2, edit_service_pb2_grpc
    from ip2p.image.v1 import image_pb2

    started = time.perf_counter()
    server = subprocess.Popen([ROOT / "build/bin/ip2p_edit_server", "--listen", "127.0.0.1:0", "--admin-listen",
                               "127.0.0.1:0", "--metrics-listen", "off", "--threads", str(options.threads)],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # fmt: skip
    try:
        port = json.loads(server.stdout.readline())["port"]
        stub = edit_service_pb2_grpc.EditServiceStub(grpc.insecure_channel(f"127.0.0.1:{port}"))
        times = []
        for seed in range(options.edits + 1):
            request = edit_service_pb2.EditRequest(
                image=image_pb2.Image(data=scene.read_bytes()),
                params=edit_pb2.EditParams(instruction=INSTRUCTION, steps=options.steps, seed=seed))  # fmt: skip
            begun = time.perf_counter()
            stub.Edit(request, timeout=300, wait_for_ready=True)
            times.append(time.perf_counter() - begun)
            if seed == 0:
                first = time.perf_counter() - started
        return first, statistics.median(times[1:])
    finally:
        server.terminate()
        server.wait()


PEER = """
import io, json, sys, time
started = time.perf_counter()
import torch
from diffusers import EulerAncestralDiscreteScheduler, StableDiffusionInstructPix2PixPipeline
from PIL import Image
folder, scene, text, steps, edits, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
pipe = StableDiffusionInstructPix2PixPipeline.from_pretrained(folder, torch_dtype=torch.float32, safety_checker=None)
pipe.scheduler = EulerAncestralDiscreteScheduler.from_config(pipe.scheduler.config)
pipe.set_progress_bar_config(disable=True)
times = []
for seed in range(int(edits) + 1):
    begun = time.perf_counter()
    photo = Image.open(scene).convert("RGB")
    pipe(text, image=photo, num_inference_steps=int(steps), guidance_scale=7.5, image_guidance_scale=1.5,
         generator=torch.Generator().manual_seed(seed)).images[0].save(io.BytesIO(), "png")
    times.append(time.perf_counter() - begun)
    if seed == 0:
        first = time.perf_counter() - started
print(json.dumps([first, sorted(times[1:])[len(times) // 2 - 1]]))
"""


def peer(scene, options):
    out = subprocess.run([sys.executable, "-c", PEER, EDIT, scene, INSTRUCTION, str(options.steps), str(options.edits),
                          str(options.threads)], check=True, capture_output=True, text=True,
                         env=dict(os.environ, HF_HUB_OFFLINE="1")).stdout  # fmt: skip
    return json.loads(out.strip().splitlines()[-1])


def make_stubs(folder):
    import grpc_tools
    from grpc_tools import protoc

    files = [str(p) for p in sorted((ROOT / "protos" / "ip2p").rglob("*.proto"))]
    arguments = ["protoc", f"-I{ROOT / 'protos'}", f"-I{pathlib.Path(grpc_tools.__file__).parent / '_proto'}",
                 f"--python_out={folder}", f"--grpc_python_out={folder}"]  # fmt: skip
    assert protoc.main([*arguments, *files]) == 0
    return folder


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--edits", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scene = draw(pathlib.Path(folder) / "scene")
        options.stubs = pathlib.Path(folder) / "stubs"
        options.stubs.mkdir()
        make_stubs(options.stubs)
        mine, theirs = ours(scene, options), peer(scene, options)
    print(f"{'what':<8} {'ours':>7} {'diffusers':>9} {'ratio':>6}  target")
    for name, a, b, target in zip(("first", "edit"), mine, theirs, ("under 3 s", "under 1.5 s"), strict=True):
        print(f"{name:<8} {a:>6.2f}s {b:>8.2f}s {a / b:>6.3f}  {target}")


if __name__ == "__main__":
    main()
