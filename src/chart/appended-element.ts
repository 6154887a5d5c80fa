/** A new element at the end of another one. */
export function appendedElement<Tag extends keyof HTMLElementTagNameMap>(
  to: HTMLElement,
  tag: Tag,
  text = '',
  attributes: Readonly<Record<string, string>> = {},
): HTMLElementTagNameMap[Tag] {
  const element = to.ownerDocument.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  to.append(element);
  return element;
}
