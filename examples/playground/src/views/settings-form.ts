import {
  type BackendName,
  backendNames,
  conflictOf,
  readSettings,
  type Settings,
  settingNames,
  usualRate,
} from '../settings.js';
import type { BackendState } from '../training/messages.js';
import { percent } from './numbers.js';

export interface SettingsForm {
  /** What the controls say; the notes are about what they cannot say. */
  read(): { settings: Settings; notes: string[] };
  show(settings: Settings): void;
  showBackends(states: readonly BackendState[]): void;
  /** Why these settings cannot be trained with, in one line. */
  conflict(): string | undefined;
}

const titles: Record<BackendName, string> = { webgpu: 'WebGPU', webgl: 'WebGL', wasm: 'wasm', cpu: 'cpu' };

/** @param changed is called when the visitor has changed a setting. */
export function settingsForm(form: HTMLFormElement, reasons: HTMLElement, changed: () => void): SettingsForm {
  let missing = new Map<string, string>();
  const control = (name: string) =>
    form.elements.namedItem(name) as HTMLInputElement | HTMLSelectElement | RadioNodeList;

  function read(): ReturnType<SettingsForm['read']> {
    return readSettings(
      settingNames.map((name) => {
        const found = control(name);
        const isTick = found instanceof HTMLInputElement && found.type === 'checkbox';
        return [name, isTick ? String(found.checked) : found.value] as const;
      }),
    );
  }

  /** What depends on other settings. */
  function refresh(): void {
    const { settings } = read();
    for (const row of form.querySelectorAll<HTMLElement>('[data-when]')) {
      const [name, value] = row.dataset.when!.split('=');
      row.hidden = String(settings[name as keyof Settings]) !== value;
    }
    form.querySelector('[data-of="noise"]')!.textContent = percent(settings.noise).replace('.0', '');
  }

  form.addEventListener('input', refresh);
  form.addEventListener('change', ({ target }) => {
    if (target instanceof HTMLSelectElement && target.name === 'optimizer') {
      (control('learningRate') as HTMLInputElement).value = String(usualRate[target.value as Settings['optimizer']]);
    }
    refresh();
    changed();
  });

  return {
    read,
    show(settings) {
      for (const name of settingNames) {
        const found = control(name);
        if (found instanceof HTMLInputElement && found.type === 'checkbox') {
          found.checked = settings[name] === true;
        } else {
          found.value = String(settings[name]);
        }
      }
      refresh();
    },
    showBackends(states) {
      missing = new Map(states.flatMap(({ name, missing }) => (missing === undefined ? [] : [[name, missing]])));
      for (const name of backendNames) {
        const input = form.querySelector<HTMLInputElement>(`[name="backend"][value="${name}"]`)!;
        input.disabled = missing.has(name);
      }
      reasons.replaceChildren(
        ...[...missing].map(([name, reason]) => {
          const item = document.createElement('li');
          item.textContent = `No ${titles[name as BackendName]}: ${reason}.`;
          return item;
        }),
      );
    },
    conflict() {
      const { settings } = read();
      const reason = missing.get(settings.backend);
      return reason === undefined
        ? conflictOf(settings)
        : `${titles[settings.backend]} cannot be used: ${reason}. Choose another backend.`;
    },
  };
}
