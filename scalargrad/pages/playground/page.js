// A page that is a playground and nothing else.

import { mount } from "./main.js";
import { PROGRAMS } from "./programs.js";

const root = document.querySelector("main");
root.playground = mount(root, JSON.parse(document.querySelector("#data").textContent), PROGRAMS, { page: true });
