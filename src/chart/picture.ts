/**
 * An SVG file as a PNG file, at twice its size.
 *
 * @throws Error with one line where the page may not make pictures of its own.
 */
export async function pictureOf(svg: string, page: Document): Promise<Blob> {
  const failed = 'sharpnessChart: the browser could not make a picture of the chart.';
  const image = page.createElement('img');
  image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  try {
    await image.decode();
  } catch {
    throw new Error(`${failed} The page may forbid data: images (img-src of its Content-Security-Policy).`);
  }
  const canvas = page.createElement('canvas');
  canvas.width = 2 * image.naturalWidth;
  canvas.height = 2 * image.naturalHeight;
  canvas.getContext('2d')!.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error(failed))));
  });
}
