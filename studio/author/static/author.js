// Keeps the page of a template up to date: hears of each save, fetches this same page again and puts in what changed.
// Without it everything works by reloading.

const { base, version } = document.body.dataset;
const watching = document.getElementById("watching");

function say(words, live) {
  watching.textContent = words;
  watching.classList.toggle("live", live);
}

// ---- saves

let wanted = 0;

async function refresh() {
  const turn = ++wanted;
  const answer = await fetch(location.href, { cache: "no-store" });
  if (!answer.ok || turn !== wanted) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (turn !== wanted) return;
  if (!fresh.querySelector(".parts") !== !document.querySelector(".parts")) return location.reload();
  for (const old of document.querySelectorAll("[data-swap]")) {
    const next = fresh.getElementById(old.id);
    if (!next || next.innerHTML === old.innerHTML) continue;
    const scrolled = old.querySelector("pre")?.scrollTop;
    old.innerHTML = next.innerHTML;
    if (scrolled) old.querySelector("pre")?.scrollTo(0, scrolled);
  }
  swapFrames(fresh.getElementById("frames"));
  say(`Saved at ${new Date().toLocaleTimeString()}`, true);
  watching.classList.remove("fresh");
  void watching.offsetWidth; // begins the glow anew
  watching.classList.add("fresh");
}

function swapFrames(fresh) {
  const frames = document.getElementById("frames");
  frames.className = fresh.className;
  const next = [...fresh.querySelectorAll("iframe")];
  const old = [...frames.querySelectorAll("iframe:not(.coming)")];
  if (next.length !== old.length) {
    frames.innerHTML = fresh.innerHTML;
    fit();
    return;
  }
  old.forEach((frame, number) => {
    const address = next[number].getAttribute("src");
    if (frame.getAttribute("src") === address) return;
    frame.parentElement.querySelectorAll(".coming").forEach((late) => late.remove());
    const coming = frame.cloneNode();
    coming.classList.add("coming");
    whenReadable(coming, address, () => {
      const { scrollX, scrollY } = frame.contentWindow;
      coming.contentWindow.scrollTo(scrollX, scrollY);
      coming.classList.remove("coming");
      frame.remove();
    });
    coming.setAttribute("src", address);
    frame.after(coming);
    frame.closest("figure").querySelector("figcaption a").setAttribute("href", address);
  });
}

// Calls back once the frame's own document is there; pictures may still be on their way, their places are not.
function whenReadable(frame, address, then) {
  const look = setInterval(() => {
    if (!frame.isConnected) return clearInterval(look);
    const page = frame.contentDocument;
    if (!page || page.readyState === "loading" || !page.URL.endsWith(address)) return;
    clearInterval(look);
    then();
  }, 20);
}

const saves = new EventSource(`${base}/changes?since=${version}`);
saves.addEventListener("open", () => say("Watching for saves", true));
saves.addEventListener("message", refresh);
saves.addEventListener("error", () => say("Not connected: is `template serve` still running?", false));

// ---- the three frames fit beside each other

function fit() {
  const frames = document.getElementById("frames");
  const all = [...frames.querySelectorAll(".frame")];
  if (!all.length) return;
  const style = getComputedStyle(frames);
  const widths = all.map((frame) => parseFloat(getComputedStyle(frame).getPropertyValue("--width")));
  const gaps = parseFloat(style.columnGap) * (all.length - 1) + all.length * 2;
  const zoom = Math.min(1, (frames.clientWidth - gaps) / widths.reduce((sum, width) => sum + width, 0));
  for (const frame of all) frame.style.setProperty("--zoom", zoom < 0.45 ? 1 : zoom.toFixed(4));
}

addEventListener("resize", fit);
fit();

// ---- finding somebody as you type

const who = document.getElementById("who");
const suggestions = document.getElementById("suggestions");
let typed = 0;

async function suggest() {
  const turn = ++typed;
  const answer = await fetch(`${base}/people?starting=${encodeURIComponent(who.value)}`);
  if (turn !== typed || !answer.ok) return;
  const found = await answer.json();
  if (turn !== typed) return;
  suggestions.replaceChildren(...found.map(({ title, key, link }) => {
    const item = document.createElement("li");
    const choice = item.appendChild(document.createElement("a"));
    choice.href = `${base}/${link}`;
    choice.append(title);
    choice.appendChild(Object.assign(document.createElement("span"), { className: "quiet small", textContent: key }));
    return item;
  }));
  suggestions.hidden = !found.length;
}

let pause;
who.addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(suggest, 120);
});
who.addEventListener("focus", () => who.select());
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") suggestions.hidden = true;
  if (event.key === "ArrowDown" && !suggestions.hidden && suggestions.contains(document.activeElement) === false) {
    suggestions.querySelector("a")?.focus();
    event.preventDefault();
  }
});
document.addEventListener("click", (event) => {
  if (!event.target.closest(".search")) suggestions.hidden = true;
});
