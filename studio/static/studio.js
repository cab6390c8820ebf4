// The little that pages do by themselves. Every page works without it: links are links, and forms are sent.

"use strict";

// A part of a page that is fetched again: progress while a run is sent. It ends when what comes says data-ended.
function poll(part) {
  const every = Number(part.dataset.every || 2000);
  const again = async () => {
    if (!document.hidden) {
      const fresh = await fragment(part.dataset.poll);
      if (fresh !== null) {
        part.innerHTML = fresh;
        if (part.querySelector("[data-ended]")) return;
      }
    }
    setTimeout(again, every);
  };
  setTimeout(again, every);
}

// What the server answers with a part of a page; null when it did not, as when the session has ended.
async function fragment(address, options = {}) {
  try {
    const answer = await fetch(address, { ...options, headers: { "X-Part": "1", ...(options.headers || {}) } });
    return answer.ok && !answer.redirected ? await answer.text() : null;
  } catch {
    return null;
  }
}

function later(work, wait) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), wait);
  };
}

// A search field that shows what is found while one types, and is walked through with the arrow keys.
function suggest(field) {
  const list = document.getElementById(field.dataset.into);
  let newest = 0;
  const links = () => [...list.querySelectorAll("a")];
  const look = later(async () => {
    const mine = ++newest;
    const address = new URL(field.dataset.suggest, location.href);
    address.searchParams.set(field.name, field.value);
    const found = field.value.trim() ? await fragment(address) : "";
    if (mine === newest && found !== null) list.innerHTML = found;
  }, 120);
  field.addEventListener("input", look);
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && links().length) {
      event.preventDefault();
      links()[0].focus();
    }
  });
  list.addEventListener("keydown", (event) => {
    const all = links();
    const at = all.indexOf(document.activeElement);
    if (event.key === "Escape") {
      list.innerHTML = "";
      field.focus();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = at + (event.key === "ArrowDown" ? 1 : -1);
      (all[next] || field).focus();
    }
  });
}

// How long a subject is, while it is typed. Characters as people count them, not as the machine does.
function counted(field) {
  const most = Number(field.dataset.counted);
  const told = document.createElement("span");
  told.className = "length";
  told.setAttribute("role", "status");
  field.after(told);
  const count = () => {
    const length = [...new Intl.Segmenter().segment(field.value)].length;
    told.textContent = `${length} of ${most}`;
    told.classList.toggle("over", length > most);
  };
  field.addEventListener("input", count);
  count();
}

// A form of which a part of the page tells what it would do: how many people, the next due times.
function live(form) {
  const parts = [...form.querySelectorAll("[data-live]")];
  const tell = later(() => {
    for (const part of parts) {
      const body = new URLSearchParams(new FormData(form));
      fragment(part.dataset.live, { method: "POST", body }).then((fresh) => {
        if (fresh !== null) part.innerHTML = fresh;
      });
    }
  }, 250);
  if (parts.length) {
    form.addEventListener("input", tell);
    form.addEventListener("change", tell);
  }
}

// Parts of a form that matter only when something else is chosen: data-shown-if="when=cron".
function shown(form) {
  const parts = [...form.querySelectorAll("[data-shown-if]")];
  const look = () => {
    const said = new FormData(form);
    for (const part of parts) {
      const [name, value] = part.dataset.shownIf.split("=");
      part.hidden = !said.getAll(name).includes(value);
    }
  };
  if (parts.length) {
    form.addEventListener("change", look);
    look();
  }
}

// Links with a key of their own: the arrow keys go from person to person.
function keys() {
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [role=listbox]");
    if (typing || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const link = [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === event.key);
    if (link) {
      event.preventDefault();
      link.click();
    }
  });
}

document.documentElement.classList.add("scripted");
document.querySelectorAll("[data-poll]").forEach(poll);
document.querySelectorAll("[data-suggest]").forEach(suggest);
document.querySelectorAll("[data-counted]").forEach(counted);
document.querySelectorAll("form").forEach((form) => {
  live(form);
  shown(form);
});
document.querySelectorAll("[data-sends]").forEach((field) => {
  field.addEventListener("change", () => field.form.requestSubmit());
});
keys();
