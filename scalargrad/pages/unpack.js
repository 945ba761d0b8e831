"use strict";
// Style and script of the page, which are packed to be small. The page's policy knows both by their hashes.
(async () => {
  const still = document.querySelector(".sg-still");
  try {
    still.hidden = true;
    const bytes = Uint8Array.from(atob(document.getElementById("packed").textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const parts = JSON.parse(await new Response(stream).text());
    for (const tag of ["style", "script"]) {
      const element = document.createElement(tag);
      element.textContent = parts[tag];
      document.head.append(element);
    }
  } catch (error) {
    still.hidden = false; // an old browser: the picture stays
    throw error;
  }
})();
