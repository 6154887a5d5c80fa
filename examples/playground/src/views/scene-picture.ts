import { GRID, REACH } from '../training/experiment.js';
import type { DigitImages, Outlook, Points, Scene } from '../training/messages.js';
import { colour, onColourScheme } from './colours.js';
import { inNextFrame } from './frames.js';

export interface ScenePicture {
  begin(scene: Scene): void;
  show(outlook: Outlook): void;
}

const classColours = ['ms', 'second', 'third'];

/** The decision boundary of a toy behind its points, or digits with what the network takes them for. */
export function scenePicture(canvas: HTMLCanvasElement, caption: HTMLElement): ScenePicture {
  let scene: Scene | undefined;
  let outlook: Outlook | undefined;
  const draw = inNextFrame(() => {
    if (scene === undefined) {
      return;
    }
    const say =
      scene.kind === 'points' ? drawPoints(canvas, scene.points, outlook) : drawDigits(canvas, scene.images, outlook);
    canvas.setAttribute('aria-label', say);
    caption.textContent = say;
  });
  onColourScheme(draw);
  return {
    begin(begun) {
      scene = begun;
      outlook = undefined;
      draw();
    },
    show(seen) {
      outlook = seen;
      draw();
    },
  };
}

/** Red, green and blue of a colour such as `#b03f26`. */
const channels = (hex: string) => [1, 3, 5].map((start) => Number.parseInt(hex.slice(start, start + 2), 16));

function drawPoints(canvas: HTMLCanvasElement, points: Points, outlook: Outlook | undefined): string {
  const side = 640;
  resize(canvas, side, side);
  const context = canvas.getContext('2d')!;
  const card = channels(colour('card'));
  const colours = classColours.map((name) => channels(colour(name)));
  context.clearRect(0, 0, side, side);
  if (outlook !== undefined) {
    const { probabilities, classes } = outlook;
    const image = new ImageData(GRID, GRID);
    for (let cell = 0; cell < GRID * GRID; cell++) {
      for (let channel = 0; channel < 3; channel++) {
        let mixed = 0;
        for (let label = 0; label < classes; label++) {
          mixed += probabilities[cell * classes + label] * colours[label][channel];
        }
        image.data[4 * cell + channel] = 0.62 * card[channel] + 0.38 * mixed;
      }
      image.data[4 * cell + 3] = 255;
    }
    const small = new OffscreenCanvas(GRID, GRID);
    small.getContext('2d')!.putImageData(image, 0, 0);
    context.imageSmoothingQuality = 'high';
    context.drawImage(small, 0, 0, side, side);
  }
  let wrong = 0;
  points.labels.forEach((label, i) => {
    const [x, y] = [points.xy[2 * i], points.xy[2 * i + 1]];
    context.beginPath();
    context.arc((side * (x / REACH + 1)) / 2, (side * (1 - y / REACH)) / 2, 5.5, 0, 2 * Math.PI);
    context.fillStyle = colour(classColours[label]);
    context.fill();
    context.lineWidth = points.wrong[i] ? 3 : 1.5;
    context.strokeStyle = points.wrong[i] ? colour('ink') : colour('card');
    context.stroke();
    wrong += points.wrong[i];
  });
  const ringed = wrong > 0 ? ` ${wrong} have a wrong label, and a ring.` : '';
  return `${points.labels.length} training points, and behind them the class that the network gives to every place.${ringed}`;
}

function drawDigits(canvas: HTMLCanvasElement, { pixels, labels }: DigitImages, outlook: Outlook | undefined): string {
  const [columns, cell, below] = [8, 56, 26];
  const rows = Math.ceil(labels.length / columns);
  resize(canvas, columns * (cell + 8), rows * (cell + below));
  const context = canvas.getContext('2d')!;
  context.clearRect(0, 0, canvas.width, canvas.height);
  const ink = channels(colour('ink'));
  const small = new OffscreenCanvas(28, 28);
  let right = 0;
  labels.forEach((label, i) => {
    const [left, top] = [(i % columns) * (cell + 8), Math.floor(i / columns) * (cell + below)];
    const answer = outlook === undefined ? undefined : largest(outlook, i);
    if (answer !== undefined && answer !== label) {
      context.fillStyle = colour('wrong');
      context.fillRect(left, top, cell + 8, cell + below);
    }
    right += answer === label ? 1 : 0;
    const image = new ImageData(28, 28);
    for (let pixel = 0; pixel < 28 * 28; pixel++) {
      image.data.set([...ink, pixels[i * 28 * 28 + pixel]], 4 * pixel);
    }
    small.getContext('2d')!.putImageData(image, 0, 0);
    context.drawImage(small, left + 4, top + 2, cell, cell);
    if (answer !== undefined) {
      context.fillStyle = answer === label ? colour('soft') : colour('failed');
      context.font = `${answer === label ? 400 : 700} 17px system-ui, sans-serif`;
      context.textAlign = 'center';
      context.fillText(String(answer), left + cell / 2 + 4, top + cell + below - 8);
    }
  });
  return outlook === undefined
    ? `${labels.length} test digits.`
    : `${labels.length} test digits, and below each what the network takes it for: ${right} are right.`;
}

function largest({ probabilities, classes }: Outlook, row: number): number {
  const own = probabilities.subarray(row * classes, (row + 1) * classes);
  return own.indexOf(Math.max(...own));
}

/** A canvas that is given a size is empty, also where the size is the same. */
function resize(canvas: HTMLCanvasElement, width: number, height: number): void {
  if (canvas.width !== width || canvas.height !== height) {
    [canvas.width, canvas.height] = [width, height];
  }
}
