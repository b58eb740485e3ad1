"""The generator: any capability's proto becomes a typed module, and what has no form in Python is refused."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from agentos.sdk import wire
from agentos.sdk.generate.model import Unsupported
from agentos.sdk.generate.read import modules
from agentos.sdk.generate.render import render

ROOT = Path(__file__).resolve().parents[2]
POST = r'''
syntax = "proto3";
package made.up;
import "agentos/v1/annotations.proto";

service PostOfficeService {
  option (agentos.v1.capability).about = "letters, and \"parcels\"";
  // Sends a letter. Beware of \ and """ here.
  rpc SendLetter(SendRequest) returns (SendResponse) {
    option (agentos.v1.action) = {effect: EFFECT_REACH, implies: "post_office.float", summary: "send to {to}"};
  }
  rpc Float(FloatRequest) returns (FloatResponse) {
    option (agentos.v1.action) = {effect: EFFECT_OBSERVE, summary: "weigh it"};
  }
  rpc Pass(FloatRequest) returns (PassResponse) {
    option (agentos.v1.action) = {effect: EFFECT_OBSERVE, inherent: true, summary: "pass by"};
  }
}
enum Speed { SPEED_UNSPECIFIED = 0; SPEED_SLOW = 1; /* By air. */ SPEED_VERY_FAST = 2; }
message SendRequest {
  repeated string to = 1 [(agentos.v1.field).matcher = MATCHER_MAIL];
  string from = 2;
  // Pages, in order.
  repeated Page pages = 3;
  Speed speed = 4;
  optional int64 grams = 5;
  oneof payment { string stamp = 6; bytes coin = 7; }
}
message Page {
  string str = 1;
  double float = 2;
  repeated Page inserted = 3;
  Page back = 4;
  enum Paper { PAPER_UNSPECIFIED = 0; PAPER_ROUGH = 1; }
  Paper paper = 5;
}
message SendResponse { repeated uint64 numbers = 1; Speed speed = 2; repeated bytes seals = 3; }
message FloatRequest { double float = 1; }
message FloatResponse { double float = 1; }
message PassResponse {}
'''


def compiled(folder: Path, text: str) -> Path:
    (folder / "post.proto").write_text(text)
    image = folder / "post.binpb"
    options = ["--include_imports", "--include_source_info", f"--descriptor_set_out={image}"]
    where = [f"-I{folder}", f"-I{ROOT / 'proto'}"]
    # grpc_tools has the google protos only when it is run as a module.
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *where, *options, "post.proto"], check=True)
    return image


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("post")
    options = ["--image", str(compiled(folder, POST)), "--into", str(folder)]
    subprocess.run([sys.executable, "-m", "agentos.sdk.generate", *options], check=True)
    return folder / "post_office.py"


@pytest.fixture
def post(generated: Path) -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("post_office", generated)
    assert spec
    assert spec.loader
    module = sys.modules["post_office"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["post_office"]


def test_requests_are_encoded_by_their_types(post: ModuleType) -> None:
    page = post.Page(str="hi", back=post.Page(float=1.5), paper=post.Paper.ROUGH)
    call = post.send_letter.call(("a@x.org",), from_="me", pages=(page,), speed=post.Speed.VERY_FAST, coin=b"\0")
    args = call.encoded()
    assert args["to"] == ["a@x.org"]
    assert args["from"] == "me"
    assert args["speed"] == "SPEED_VERY_FAST"
    assert args["coin"] == "AA=="
    assert args.keys().isdisjoint({"grams", "stamp"}), "what has presence and is not given is not sent"
    assert args["pages"][0]["paper"] == "PAPER_ROUGH"
    assert args["pages"][0]["back"]["float"] == 1.5


def test_replies_are_decoded_by_their_types(post: ModuleType) -> None:
    replies = [{"numbers": ["18446744073709551615"], "speed": "SPEED_SLOW", "seals": ["aGk="]}, {"float": "Infinity"}]
    before = wire.connect(lambda _: json.dumps({"results": [{"value": replies.pop(0)}]}))
    try:
        assert post.send_letter(("a@x.org",)) == post.SendResponse((2**64 - 1,), post.Speed.SLOW, (b"hi",))
        assert post.float(1.0) == float("inf")
    finally:
        wire.connect(before)
    back = post.Page.from_wire({"back": {"str": "x"}, "inserted": [{}]})
    assert back == post.Page(back=post.Page(str="x"), inserted=(post.Page(),))


def test_comments_become_docstrings(post: ModuleType) -> None:
    assert (post.__doc__ or "").startswith('Letters, and "parcels".')
    assert 'Sends a letter. Beware of \\ and """ here.' in (post.send_letter.__doc__ or "")
    assert "Needs a grant of post_office.send_letter, bounded by to." in (post.send_letter.__doc__ or "")
    assert "Needs a grant of post_office.float or post_office.send_letter." in (post.float.__doc__ or "")
    assert "pages: Pages, in order." in (post.send_letter.__doc__ or "")
    assert (post.pass_.__doc__ or "").startswith("Pass by.")


@pytest.mark.slow
def test_the_module_is_strictly_typed(generated: Path) -> None:
    use = generated.with_name("use.py")
    use.write_text("import post_office\nreveal_type(post_office.float(1.0))\nreveal_type(post_office.Page().float)\n")
    command = [sys.executable, "-m", "mypy", "--strict", f"--config-file={ROOT / 'pyproject.toml'}", use.name]
    environment = {"MYPYPATH": f"{ROOT / 'dev'}"}
    done = subprocess.run(command, cwd=generated.parent, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count('Revealed type is "float"') == 2


def test_what_has_no_form_in_the_sdk_is_refused_by_name(tmp_path: Path) -> None:
    mapped = POST.replace("message PassResponse {}", "message PassResponse { map<string, int32> counts = 1; }")
    image = FileDescriptorSet.FromString(compiled(tmp_path, mapped).read_bytes())
    with pytest.raises(Unsupported, match=r"made\.up\.PassResponse\.counts"):
        list(modules(image))


def test_the_same_proto_gives_the_same_text(generated: Path) -> None:
    image = FileDescriptorSet.FromString(generated.with_name("post.binpb").read_bytes())
    first, second = (render(next(modules(image))) for _ in range(2))
    assert first == second
