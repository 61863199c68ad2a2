"""Masked edits at photos' own odd sizes, by the edit server, the client and the gateway: outside of the mask every byte
of the photo comes back, inside it changes."""

import base64
import io
import json
import subprocess

import grpc
import numpy as np
import pytest
from conftest import BIN, ROOT
from gateway_cluster import Gateway
from PIL import Image, ImageDraw, ImageOps
from server import Server, stubs  # noqa: F401  (fixture)

PHOTO = ROOT / "tests" / "testdata" / "photo.jpg"
SIZES = [(451, 300), (1023, 767)]
SMALL = {"instruction": "make it snow", "steps": 3, "resolution": 128, "seed": 1}


@pytest.fixture(scope="module")
def tiny(checkpoint, stubs):  # noqa: F811
    server = Server("--model", f"tiny={checkpoint('tiny')}", "--precision", "fp32")
    server.edits = stubs.edit_grpc.EditServiceStub(server.channel)
    yield server
    server.close()


@pytest.fixture(scope="module", params=SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
def case(request, tmp_path_factory):
    """(path of a photo, path of a mask), both PNG."""
    folder = tmp_path_factory.mktemp("case")
    ImageOps.fit(Image.open(PHOTO), request.param).save(folder / "photo.png")
    width, height = request.param
    mask = Image.new("L", request.param)
    ImageDraw.Draw(mask).ellipse((width * 0.6, height * 0.1, width * 1.1, height * 0.7), fill=255)  # over the edge
    ImageDraw.Draw(mask).rectangle((3, height - 40, 60, height - 1), fill=255)
    mask.save(folder / "mask.png")
    return folder / "photo.png", folder / "mask.png"


def pixels(source):
    return np.asarray(Image.open(io.BytesIO(source) if isinstance(source, bytes) else source).convert("RGB"))


def assert_kept(result, photo, mask):
    """`mask` is a file of white and black."""
    before, inside = pixels(photo), np.asarray(Image.open(io.BytesIO(mask) if isinstance(mask, bytes) else mask).convert("L")) >= 128
    assert result.shape == before.shape
    assert (result == before)[~inside].all()
    assert 0 < inside.sum() < inside.size
    assert (result != before).any(axis=2)[inside].mean() > 0.7


def request_for(stubs, photo, mask=None, **params):  # noqa: F811
    request = stubs.edit_service.EditRequest(image={"data": photo.read_bytes()}, params=SMALL | params)
    if mask:
        request.mask.data = mask.read_bytes()
    return request


@pytest.mark.parametrize("params", [{}, {"resolution": 256, "sampler": 6}, {"mask_feather": 0, "sampler": 8},
                                    {"resolution": 0, "steps": 1}], ids=str)  # fmt: skip
def test_the_server_keeps_the_rest(tiny, stubs, case, params):  # noqa: F811
    result = tiny.edits.Edit(request_for(stubs, *case, **params)).result
    image = result.outputs[0].image
    assert_kept(pixels(image.data), *case)
    assert (image.width, image.height) == Image.open(case[0]).size
    assert "Mask: given" in Image.open(io.BytesIO(image.data)).info["parameters"]


def test_the_server_finds_a_mask_and_gives_it_back(tiny, stubs, case):  # noqa: F811
    photo, _ = case
    stream = list(tiny.edits.StreamEdit(stubs.edit_service.StreamEditRequest(
        edit=request_for(stubs, photo, auto_mask=0.6, count=2), preview_every=1)))
    result = stream[-1].result
    masks = [output.mask.data for output in result.outputs]
    for output in result.outputs:
        assert_kept(pixels(output.image.data), photo, output.mask.data)
        assert "Mask: auto 0.6" in Image.open(io.BytesIO(output.image.data)).info["parameters"]
    assert masks[0] != masks[1]  # each picture has its own
    wider = tiny.edits.Edit(request_for(stubs, photo, auto_mask=0.3)).result.outputs[0]
    assert (pixels(wider.mask.data) > 0).sum() > (pixels(masks[0]) > 0).sum()


def test_the_client_gives_the_same_here_and_there(tiny, ip2p, checkpoint, case, tmp_path):
    photo, mask = case
    common = ["edit", "-i", photo, "-e", "make it snow", "--steps", 3, "--resolution", 128, "--seed", 1, "--mask", mask]
    ip2p(*common, "-o", tmp_path / "here.png", "--ckpt", checkpoint("tiny"), "--precision", "fp32")
    ip2p(*common, "-o", tmp_path / "there.png", "--server", tiny.address)
    assert_kept(pixels(tmp_path / "here.png"), *case)
    assert (pixels(tmp_path / "here.png") == pixels(tmp_path / "there.png")).all()
    ip2p(*common, "-o", tmp_path / "small.webp", "--lossless", "--server", tiny.address)
    assert (pixels(tmp_path / "small.webp") == pixels(tmp_path / "there.png")).all()


def test_the_client_finds_a_mask_here_and_there(tiny, ip2p, checkpoint, case, tmp_path):
    photo, _ = case
    for place, where in (("here", ["--ckpt", checkpoint("tiny"), "--precision", "fp32"]), ("there", ["--server", tiny.address])):
        told = json.loads(ip2p("edit", "-i", photo, "-o", tmp_path / f"{place}.png", "-e", "make it snow", "--steps", 3, "--seed", 1,
                               "--resolution", 128, "--auto-mask", "--mask-output", tmp_path / f"{place}-mask.png", "--json", *where))
        assert told["params"]["auto_mask"] == 0.5 and told["outputs"][0]["mask"] == str(tmp_path / f"{place}-mask.png")
        assert_kept(pixels(tmp_path / f"{place}.png"), photo, tmp_path / f"{place}-mask.png")
    assert (tmp_path / "here-mask.png").read_bytes() == (tmp_path / "there-mask.png").read_bytes()


def test_a_jpeg_photo_keeps_what_its_decoder_sees(tiny, ip2p, tmp_path):
    mask = Image.new("L", Image.open(PHOTO).size)
    ImageDraw.Draw(mask).rectangle((20, 20, 90, 70), fill=255)
    mask.save(tmp_path / "mask.png")
    common = ["edit", "-i", PHOTO, "--resolution", 0, "--server", tiny.address]
    ip2p(*common, "-o", tmp_path / "photo.png", "-e", "")
    ip2p(*common, "-o", tmp_path / "out.png", "-e", "make it snow", "--steps", 1, "--mask", tmp_path / "mask.png")
    assert_kept(pixels(tmp_path / "out.png"), tmp_path / "photo.png", tmp_path / "mask.png")


@pytest.mark.parametrize(("spoil", "words"), [
    (lambda r, png: setattr(r.mask, "data", png(Image.new("L", (300, 451), 255))), "mask is 300x451; wants the size of the photo, upright 451x300"),
    (lambda r, png: setattr(r.mask, "data", png(Image.new("L", (451, 300), 127))), "mask is black everywhere"),
    (lambda r, png: setattr(r.mask, "data", b"%PDF-1.7" + bytes(100)), "mask is"),
    (lambda r, png: setattr(r.mask, "data", png(Image.new("L", (451, 300), 255))[:200]), "mask: "),
    (lambda r, png: setattr(r.params, "auto_mask", 0.5), "mask and auto_mask are both given; wants one of them"),
    (lambda r, png: setattr(r.output, "format", 1), "output.format is JPEG; a masked edit keeps pixels as they are"),
    (lambda r, png: setattr(r.output, "format", 3), "wants PNG or lossless WebP"),
    (lambda r, png: setattr(r.params, "mask_feather", 65), "mask_feather is 65; wants 0..64"),
], ids=["size", "black", "format", "torn", "both", "jpeg", "webp", "feather"])  # fmt: skip
def test_bad_masks_are_named_and_the_next_good_one_is_answered(tiny, stubs, tmp_path, spoil, words):  # noqa: F811
    def png(image):
        out = io.BytesIO()
        image.save(out, "PNG")
        return out.getvalue()

    ImageOps.fit(Image.open(PHOTO), SIZES[0]).save(tmp_path / "photo.png")
    white = tmp_path / "white.png"
    white.write_bytes(png(Image.new("L", SIZES[0], 255)))
    request = request_for(stubs, tmp_path / "photo.png", white, steps=1)
    spoil(request, png)
    with pytest.raises(grpc.RpcError) as error:
        tiny.edits.Edit(request)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT and words in error.value.details()
    assert tiny.edits.Edit(request_for(stubs, tmp_path / "photo.png", white, steps=1)).result.outputs


def test_the_gateway_takes_masks_as_files_and_in_json(tiny, case):
    photo, mask = case
    gateway = Gateway("--edit-server", tiny.address)
    try:
        form = [f"-F{name}={value}" for name, value in SMALL.items()]
        by_form = json.loads(subprocess.run(["curl", "-sS", *form, f"-Fimage=@{photo}", f"-Fmask=@{mask}", f"{gateway.url}/api/v1/edit"],
                                            capture_output=True, check=True).stdout)
        body = SMALL | {name: base64.b64encode(path.read_bytes()).decode() for name, path in (("image", photo), ("mask", mask))}
        status, _, by_json = gateway.call("POST", "/api/v1/edit", body)
        assert status == 200, by_json
        for answer in (by_form, by_json):
            assert_kept(pixels(base64.b64decode(answer["outputs"][0]["image"]["data"])), photo, mask)
        status, _, found = gateway.call("POST", "/api/v1/edit", {k: v for k, v in body.items() if k != "mask"} | {"auto_mask": 0.5})
        picture = found["outputs"][0]
        assert_kept(pixels(base64.b64decode(picture["image"]["data"])), photo, base64.b64decode(picture["mask"]["data"]))
        status, _, data = gateway.call("POST", "/api/v1/edit", body | {"format": "jpeg"})
        assert status == 400 and "output.format is JPEG" in data["error"]["message"]
        cells = [data for name, data in gateway.events("POST", "/api/v1/sweep", body | {"cfg_text": [3, 7.5], "cfg_image": [1.5]}) if name == "cell"]
        assert len(cells) == 2
        for cell in cells:
            assert_kept(pixels(base64.b64decode(cell["outputs"][0]["image"]["data"])), photo, mask)
    finally:
        gateway.close()


def test_the_flags_are_in_the_help():
    text = subprocess.run([BIN / "ip2p", "edit", "--help"], capture_output=True, text=True, check=True).stdout
    assert all(flag in text for flag in ("--mask", "--auto-mask", "--mask-feather", "--mask-output"))
