/* Lines of a list, each with a few pictures. Every line is a real link; a plain click stays in
   this session. */
function part(tag, look, said = "") {
  const made = document.createElement(tag);
  if (look) made.className = look;
  if (said) made.textContent = said; // never innerHTML: names are written by anybody
  return made;
}

function thumb(one) {
  const mount = part("span", one.mark ? "mount marked" : "mount");
  const image = part("img");
  image.src = one.src;
  image.alt = one.title;
  image.title = one.title;
  image.loading = "lazy";
  image.decoding = "async";
  mount.append(image);
  if (one.mark) mount.append(part("span", "tag", one.mark));
  return mount;
}

function line(item, open) {
  const link = part("a");
  link.href = item.href;
  link.dataset.id = item.id;
  const strip = part("span", "strip");
  strip.append(...item.pictures.map(thumb));
  if (item.more) strip.append(part("span", "more", item.more));
  const said = part("span", "said");
  const head = part("span", "head", item.title);
  if (item.mark) head.append(part("span", `mark ${item.tone}`, item.mark));
  said.append(head);
  for (const note of item.notes) said.append(part("span", "note", note));
  link.append(strip, said);
  link.addEventListener("click", (event) => {
    if (event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    open(item.id);
  });
  return link;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement;
  const told = JSON.stringify(data);
  const old = root.querySelector(".lines");
  if (old && old.dataset.told === told) return;
  old?.remove();
  const lines = part("div", "lines");
  lines.dataset.told = told;
  lines.append(...data.map((item) => line(item, (id) => setTriggerValue("opened", id))));
  root.append(lines);
}
