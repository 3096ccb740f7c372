/* Two pictures: side by side, laid over, what differs, blinking. Text only by textContent. */
const STEP = { ArrowRight: 1, ArrowLeft: -1 };
let chosen = "side"; // the way of looking stays when the next pair comes
let boxed = true;

function part(tag, look, said = "") {
  const made = document.createElement(tag);
  if (look) made.className = look;
  if (said) made.textContent = said;
  return made;
}

function picture(src, said, look = "") {
  const image = part("img", look);
  image.src = src;
  image.alt = said;
  image.decoding = "async";
  return image;
}

function frame(width, height) {
  const made = part("div", "frame");
  made.style.setProperty("--ratio", width / height);
  made.style.setProperty("--most", `${Math.max(352, 2 * width)}px`);
  return made;
}

function drawn(boxes) {
  return boxes.map(([left, top, right, bottom]) => {
    const box = part("span", "box");
    box.style.left = `${100 * left}%`;
    box.style.top = `${100 * top}%`;
    box.style.width = `${100 * (right - left)}%`;
    box.style.height = `${100 * (bottom - top)}%`;
    return box;
  });
}

/* Where the second picture lies on the first, when it does not fill it. */
function outline(points) {
  const NS = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(NS, "svg");
  svg.setAttribute("viewBox", "0 0 1 1");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(NS, "polygon");
  line.setAttribute("points", points.map((point) => point.join(",")).join(" "));
  svg.append(line);
  return svg;
}

function side(told) {
  const stage = part("div", "pair");
  for (const one of [told.first, told.second]) {
    const figure = part("figure");
    const mount = frame(one.width, one.height);
    mount.append(picture(one.src, one.title), ...drawn(one.boxes));
    if (one === told.first && told.laid && !told.laid.fills) mount.append(outline(told.laid.outline));
    const caption = part("figcaption");
    caption.append(part("b", "", one.place), part("span", "", ` ${one.title}`));
    figure.append(mount, caption);
    stage.append(figure);
  }
  return [stage];
}

function base(told, top, look) {
  const mount = frame(told.laid.width, told.laid.height);
  mount.append(picture(told.laid.first, told.first.title));
  if (top) mount.append(picture(top, told.second.title, look));
  mount.append(...drawn(told.first.boxes));
  if (!told.laid.fills) mount.append(outline(told.laid.outline));
  return mount;
}

function over(told) {
  const mount = base(told, told.laid.second, "top");
  mount.classList.add("wiping");
  const line = part("span", "line");
  mount.append(line);
  const slider = part("input");
  slider.type = "range";
  slider.min = 0;
  slider.max = 100;
  slider.value = 50;
  slider.setAttribute("aria-label", told.words.slide);
  const show = () => mount.style.setProperty("--cut", `${slider.value}%`);
  slider.addEventListener("input", show);
  const drag = (event) => {
    const { left, width } = mount.getBoundingClientRect();
    slider.value = Math.round((100 * (event.clientX - left)) / width);
    show();
  };
  mount.addEventListener("pointerdown", (event) => {
    mount.setPointerCapture(event.pointerId);
    drag(event);
  });
  mount.addEventListener("pointermove", (event) => event.buttons & 1 && drag(event));
  show();
  const row = part("label", "row");
  row.append(part("span", "", told.first.place), slider, part("span", "", told.second.place));
  return [mount, row];
}

function difference(told) {
  const mount = base({ ...told, laid: { ...told.laid, first: told.laid.difference } }, null);
  mount.firstChild.alt = told.words.difference;
  const row = part("div", "row");
  row.append(part("span", "", told.words.faint), part("span", "heat"), part("span", "", told.words.strong));
  return [mount, row, part("p", "note", told.words.heat)];
}

function blink(told) {
  const mount = base(told, told.laid.second, "top");
  mount.classList.add("blinking");
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const row = part("div", "row");
  const hold = part("button", "", "");
  const other = part("button", "", told.words.other);
  const say = (held) => {
    mount.classList.toggle("held", held);
    hold.textContent = held ? told.words.goon : told.words.hold;
    other.disabled = !held;
  };
  hold.addEventListener("click", () => say(!mount.classList.contains("held")));
  other.addEventListener("click", () => mount.classList.toggle("second"));
  row.append(hold, other);
  say(still);
  return [mount, row];
}

const WAYS = { side, over, difference, blink };

export default function ({ data, parentElement }) {
  const root = parentElement;
  const key = JSON.stringify(data);
  const old = root.querySelector(".compare");
  if (old && old.dataset.told === key) return;
  old?.remove();
  const whole = part("div", "compare");
  whole.dataset.told = key;
  const tabs = part("div", "tabs");
  tabs.setAttribute("role", "tablist");
  const stage = part("div", "stage");
  stage.setAttribute("role", "tabpanel");
  const ways = data.laid ? Object.keys(WAYS) : ["side"];

  function show(way) {
    stage.replaceChildren(...WAYS[way](data));
    stage.classList.toggle("plain", !boxed);
    for (const tab of tabs.children) {
      const on = tab.dataset.way === way;
      tab.setAttribute("aria-selected", on);
      tab.tabIndex = on ? 0 : -1;
    }
  }

  for (const way of ways) {
    const tab = part("button", "", data.words.ways[way]);
    tab.dataset.way = way;
    tab.setAttribute("role", "tab");
    tab.addEventListener("click", () => show((chosen = way)));
    tabs.append(tab);
  }
  tabs.addEventListener("keydown", (event) => {
    if (!(event.key in STEP)) return;
    const at = ways.indexOf(event.target.dataset.way) + STEP[event.key];
    const next = tabs.children[(at + ways.length) % ways.length];
    next.focus();
    next.click();
  });
  const bar = part("div", "bar");
  bar.append(tabs);
  if (data.first.boxes.length) {
    const label = part("label", "check");
    const box = part("input");
    box.type = "checkbox";
    box.checked = boxed;
    box.addEventListener("change", () => {
      boxed = box.checked;
      stage.classList.toggle("plain", !boxed);
    });
    label.append(box, part("span", "", data.words.boxes));
    bar.append(label);
  }
  whole.append(bar, stage);
  root.append(whole);
  show(ways.includes(chosen) ? chosen : "side");
}
