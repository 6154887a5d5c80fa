import { expect, test } from 'vitest';
import { checkpointName } from '../../src/files/checkpoint-step.js';

test.each<[path: string, run: string, step: number | undefined]>([
  ['epoch12/model.json', '', 12],
  ['epoch-0012/model.json', '', 12],
  ['12/model.json', '', 12],
  ['resnet50/epoch3/model.json', 'resnet50', 3],
  ['resnet50_epoch_3.keras', '', 3],
  ['ckpt-00010.keras', '', 10],
  ['weights.12-0.34.h5', '', 12],
  ['model.h5', 'model', undefined],
  ['old.hdf5', 'old', undefined],
  // ModelCheckpoint's own example.
  ['weights.05-0.32.keras', '', 5],
  ['loss0.25_step400.keras', '', 400],
  // Lightning, Hugging Face, stable-baselines, and TensorFlow 1 as in MaybeShewill-CV/lanenet-lane-detection#417.
  ['epoch=3-step=500/model.json', '', 500],
  ['flan-t5-epoch=03-val_accuracy=0.8123.keras', '', 3],
  ['best-epoch=04-val_loss=0.0000/model.json', '', 4],
  ['checkpoint-500/model.json', '', 500],
  ['rl_model_20000_steps.keras', '', 20000],
  ['tusimple_val_miou=0.5917.ckpt-344.keras', '', 344],
  // Names of programs for ModelCheckpoint in public repositories.
  ['weights-improvement-05-0.87.keras', '', 5],
  ['best_model.0.90-0.88-05-0.31.keras', '', 5],
  ['sep_unet_doInTraining_sigmoid_avPool2_d3_f32_lr0.0001_05-0.123456.keras', '', 5],
  ['DenseCheck-05-0.1234-0.9123-0.8-0.7-0.6-0.5-.keras', '', 5],
  ['resnet_lstm_ckpt-05-0.32.keras', '', 5],
  ['efficientnet_b3.keras', 'efficientnet_b3', undefined],
  ['best_hate_speech_model3.keras', 'best_hate_speech_model3', undefined],
  ['brats_3d_best.keras', 'brats_3d_best', undefined],
  // It may be 3.05, and 10.05.
  ['first.3.05-0.32.keras', '', undefined],
  ['cifar10.05-0.32.keras', '', undefined],
  // Of tf.js: games played and the time; the date in front is none of them.
  ['model-120-2024-01-31T12-30-05-123Z/model.json', '', 120],
  ['20240131-123005/model.json', '', undefined],
  ['model-1700000000000/model.json', '', undefined],
  ['detect-goal-pp-v0/model.json', 'detect-goal-pp-v0', undefined],
  // Numbers that are no step.
  ['resnet50.keras', 'resnet50', undefined],
  ['batch32-epoch5.keras', '', 5],
  ['batch_size_32.keras', 'batch_size_32', undefined],
  ['fold-2/best.keras', 'fold-2/best', undefined],
  ['fold-2.keras', 'fold-2', undefined],
  ['fold2_epoch_07.keras', '', 7],
  ['resnet50epoch3.keras', '', 3],
  ['model-v2-0007.keras', '', 7],
  ['timesteps10.keras', 'timesteps10', undefined],
  ['resnet-50-101.keras', '', undefined],
  ['epoch-1-epoch-2.keras', '', undefined],
  ['trainEpoch12.keras', '', 12],
  ['lr1e-5-epoch-3.keras', '', 3],
  ['lr1e-5/e7.keras', 'lr1e-5', 7],
  ['lr1e-5.keras', 'lr1e-5', undefined],
  ['adam-1e-4/best.keras', 'adam-1e-4/best', undefined],
  // The number of the file itself, and not what a folder is called for.
  ['ckpt1/0005.keras', 'ckpt1', 5],
  ['ckpt1/weights.12-0.34.keras', 'ckpt1', 12],
  ['run_2_checkpoints/0005.keras', 'run_2_checkpoints', 5],
  ['train_50_epochs/weights.12-0.34.keras', 'train_50_epochs', 12],
  ['train_50_epochs/best.keras', 'train_50_epochs/best', undefined],
  ['steps_per_epoch_100/0005.keras', 'steps_per_epoch_100', 5],
  ['steps_per_epoch_100/best.keras', 'steps_per_epoch_100/best', undefined],
  ['ckpt1/1-2.keras', 'ckpt1', undefined],
  ['ckpt1/val_loss-0.34.keras', 'ckpt1', undefined],
  // Dates behind a word.
  ['checkpoint_2024-01-01_12-00-00/model.json', '', undefined],
  ['checkpoint-2024-01-02.keras', '', undefined],
  ['checkpoint_20240101_120000.keras', '', undefined],
  ['cp_1700000000.keras', '', undefined],
  ['checkpoint_2024-01-01_12-00-00/best.keras', 'checkpoint_2024-01-01_12-00-00/best', undefined],
  ['checkpoint-500_2024-01-01_12-00-00.keras', '', 500],
  // Numbers at a word that are no step.
  ['model_e2e_0005.keras', '', 5],
  ['model_e2e.keras', 'model_e2e', undefined],
  ['gemma-it-2b-0005.keras', '', 5],
  ['step_1e3.keras', '', undefined],
  ['step_500k.keras', '', undefined],
  ['fold_3_checkpoint.keras', 'fold_3_checkpoint', undefined],
  ['fold_3_checkpoint_12.keras', '', 12],
  // Learning rates, as in base_cosine_lr5e4_drop0.4.
  ['lr5e4_bs32_0005.keras', '', 5],
  ['lr3e4_0005.keras', '', 5],
  ['lr2e4_epoch_10.keras', '', 10],
  ['epoch_12_lr1e3.keras', '', 12],
  ['adam_lr3e4_bs64/model.keras', 'adam_lr3e4_bs64/model', undefined],
  ['lr1e3_seed1/best.keras', 'lr1e3_seed1/best', undefined],
  ['ep50_bs32/best.keras', 'ep50_bs32/best', undefined],
  ['exp-e2/best.keras', 'exp-e2/best', undefined],
  ['epoch=3-step=500/generator.keras', 'generator', 500],
  // Numbers that change without a step.
  ['batch-500/model.json', '', 500],
  ['batch_100.keras', '', 100],
  ['batch_200.keras', '', 200],
  ['batch32-0005.keras', '', 5],
  ['batch32/best.keras', 'batch32/best', undefined],
  ['val_loss-0.34.keras', '', undefined],
  ['best-val_loss-0.34.keras', '', undefined],
  ['loss0.34.keras', '', undefined],
  ['weights-acc0.91.keras', '', undefined],
  ['sgd/weights-valAcc0.91.keras', 'sgd', undefined],
  // Several trainings, and several networks of one.
  ['sgd/lr0.1/epoch-3/model.json', 'sgd/lr0.1', 3],
  ['sgd/best.keras', 'sgd/best', undefined],
  ['epoch-3/generator.keras', 'generator', 3],
  ['epoch-3/model/model.json', 'model', 3],
  ['best/model.json', 'best', undefined],
  ['model.json', '', undefined],
])('%s is of the run %j and of step %s', (path, run, step) => {
  const found = checkpointName('runs/7', `runs/7/${path}`);
  expect({ run: found.run, step: found.step }).toEqual({ run, step });
});

test.each([
  ['a/epoch-3.keras', "the number at 'epoch' in its name"],
  ['12/model.json', 'the number in its name'],
  ['batch-500.keras', "the number at 'batch' in its name"],
  ['best.keras', 'counted, since its name has no number that changes'],
  ['fold-2.keras', 'counted, since its name has no number that changes'],
  ['val_loss-0.34.keras', 'counted, since no number in its name is a step'],
  ['step_1e3.keras', 'counted, since it is not clear which number in its name is the step'],
  ['20240131/model.json', 'counted, since its name has only a time'],
  ['1-2.keras', 'counted, since it is not clear which number in its name is the step'],
])('says of %s: %s', (path, how) => {
  expect(checkpointName('runs', `runs/${path}`).how).toBe(how);
});
