"""bundle: modules as one script or one module, which node runs as it runs the modules themselves."""

import subprocess

import pytest

from scalargrad import SGD, Value, compile
from scalargrad.javascript.bundle import bundle
from scalargrad.javascript.picked import picked

OTHER = """
export const a = 1, unseen = 2;
export function f(x) {
  return x + a;
}
const inner = 5;
export { inner as outer };
"""
ENTRY = """
import { a, f } from "./other.js";
import { outer as o } from "./other.js";
const unseen = 40;
export class Adder { add() { return f(unseen) + o + a; } }
export default { total: new Adder().add() };
"""


def run(node, text, module=False):
    command = [node, *(["--input-type=module"] if module else []), "-e", text]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.strip()


def files(folder):
    (folder / "other.js").write_text(OTHER, encoding="utf-8")
    entry = folder / "entry.js"
    entry.write_text(ENTRY, encoding="utf-8")
    return entry


def test_a_module_has_the_exports_of_its_entry(node, tmp_path):
    text = bundle(files(tmp_path), module=True)
    (tmp_path / "whole.mjs").write_text(text, encoding="utf-8")
    code = (
        f'import whole, {{ Adder }} from "{tmp_path.as_posix()}/whole.mjs"; console.log(whole.total, new Adder().add())'
    )
    assert run(node, code, module=True) == "47 47"


def test_a_classic_script_leaves_nothing_behind(node, tmp_path):
    files(tmp_path)
    entry = tmp_path / "main.js"
    entry.write_text('import { Adder } from "./entry.js";\nconsole.log(new Adder().add());\n', encoding="utf-8")
    assert run(node, bundle(entry) + "console.log(typeof Adder, typeof f)") == "47\nundefined undefined"


def test_texts_stand_for_modules_that_are_no_files(node):
    text = bundle('import { f } from "./other.js";\nconsole.log(f(1));', {"other.js": OTHER})
    assert run(node, text) == "2"


def test_a_compiled_function_is_a_module_among_others(node):
    w = Value(3.0, "w")
    model = compile(lambda x: (w * x - 1.0) ** 2).javascript([1.0], optimizer=SGD(0.1))
    entry = 'import { forward, step, start, PARAMETERS } from "./model.js";\nconst s = start();\nstep(s, [1]);\n'
    text = bundle(
        entry + "console.log(forward([2], [1])[0], s.parameters[0].toFixed(3), PARAMETERS[0]);", {"model.js": model}
    )
    assert run(node, text) == "1 2.600 w"


def test_each_module_is_there_once(tmp_path):
    files(tmp_path)
    text = bundle('import { a } from "./x.js";\nimport { b } from "./y.js";', {
        "x.js": 'import { f } from "./z.js";\nexport const a = f;',
        "y.js": 'import { f } from "../javascript/z.js";\nexport const b = f;',
        "z.js": "export const f = 1;",
    })  # fmt: skip
    assert text.count("const f = 1;") == 1


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ('import { a } from "./nowhere.js";', "there is no module '.*nowhere.js' to bundle"),
        ('import { b } from "./x.js";', "entry.js imports b, which ./x.js does not export"),
        ('import * as x from "./x.js";', "'import [*] as x from .* is no import or export that bundle[(][)] can read"),
        ('import { a } from "./loop.js";', "loop.js imports itself, by way of others"),
    ],
)
def test_what_cannot_be_bundled_is_an_error(entry, words):
    texts = {"x.js": "export const a = 1;", "loop.js": 'import { a } from "./loop.js";\nexport const b = a;'}
    with pytest.raises(ValueError, match=words):
        bundle(entry, texts)


def test_declarations_are_picked_with_what_they_need(node, tmp_path):
    file = tmp_path / "module.js"
    file.write_text(
        "import { x } from './x.js';\n// Of both.\nexport const a = 1;\nconst unused = a; // b\n\n"
        "export function f(y) {\n  return y + a;\n}\nlet total = `unused`;\nconst g = () => f(total.length);\n",
        encoding="utf-8",
    )
    text = picked([file], ["g"])
    assert run(node, f"{text}\nconsole.log(g())") == "7"
    assert "unused =" not in text
    assert "export" not in text
    with pytest.raises(ValueError, match="no module declares 'h'"):
        picked([file], ["h"])
