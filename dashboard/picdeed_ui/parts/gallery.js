/* A grid of pictures. Every card is a real link; a plain click stays in this session. */
const STEP = { ArrowRight: 1, ArrowLeft: -1 };

function part(tag, look, said) {
  const made = document.createElement(tag);
  made.className = look;
  made.textContent = said; // never innerHTML: captions and prompts are written by anybody
  return made;
}

function card(item, open) {
  const link = document.createElement("a");
  link.href = item.href;
  link.className = item.tone;
  link.dataset.id = item.id;
  const mount = part("div", "mount", "");
  const image = document.createElement("img");
  image.src = item.src;
  image.alt = item.title;
  image.loading = "lazy";
  image.decoding = "async";
  mount.append(image);
  if (item.mark) mount.append(part("span", `mark ${item.tone}`, item.mark));
  const title = part("div", "title", item.title);
  title.title = item.title;
  link.append(mount, title, part("div", "note", item.note));
  link.addEventListener("click", (event) => {
    if (event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    open(item.id);
  });
  return link;
}

function move(grid, event) {
  const cards = [...grid.children];
  const at = cards.indexOf(grid.getRootNode().activeElement);
  if (at < 0) return;
  const across = cards.filter((one) => one.offsetTop === cards[0].offsetTop).length;
  const to = {
    ArrowDown: at + across,
    ArrowUp: at - across,
    Home: 0,
    End: cards.length - 1,
  }[event.key] ?? (event.key in STEP ? at + STEP[event.key] : -1);
  if (!cards[to]) return;
  event.preventDefault();
  cards[to].focus();
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement;
  let grid = root.querySelector(".grid");
  const told = JSON.stringify(data);
  if (grid && grid.dataset.told === told) return;
  grid?.remove();
  grid = part("div", "grid", "");
  grid.dataset.told = told;
  grid.append(...data.map((item) => card(item, (id) => setTriggerValue("opened", id))));
  grid.addEventListener("keydown", (event) => move(grid, event));
  root.append(grid);
}
