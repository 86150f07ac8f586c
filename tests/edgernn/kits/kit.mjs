// kit.mjs: drives a web kit for test_for_web.py: node kit.mjs FOLDER/node.js|inline.js COMMAND ARGUMENTS

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [entry, command, ...words] = process.argv.slice(2);
const { ErnnError, Model } = await import(pathToFileURL(resolve(entry)));

function floats(path) {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

function print(values) {
  process.stdout.write(Buffer.from(values.buffer, values.byteOffset, values.byteLength));
}

async function message(act) {
  try {
    await act();
    return 'no error';
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

const commands = {
  async run_other([other, input]) {
    print((await Model.load(other)).run(floats(input)));
  },

  async run([input, other]) {
    const model = await Model.load(other);
    const [x] = [floats(input)];
    model.run(x.subarray(0, 3 * model.inputs[0].width)); // must not change what comes next
    print(model.run(x));
  },

  async step([input, other]) {
    const model = await Model.load(other);
    const session = model.session();
    const x = floats(input);
    const { width } = model.inputs[0];
    for (let at = 0; at < x.length; at += width) print(session.step(x.subarray(at, at + width)));
  },

  async rhythm([path, input]) {
    const model = await Model.load(path);
    const [session, other] = [model.session(), model.session()];
    const x = floats(input);
    const answers = [];
    for (let at = 0; at < x.length; at += 40) {
      const row = x.subarray(at, at + 40);
      const answer = session.step(row);
      answers.push(answer && [...answer]);
      if (String(other.run(row)) !== String(answer)) answers.push('a run gives other numbers');
    }
    console.log(JSON.stringify(answers));
  },

  async listen([pcm, rate, piece, options, kind]) {
    const model = await Model.load();
    const listener = model.listener(Number(rate), JSON.parse(options));
    const bytes = readFileSync(pcm);
    const whole = new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    const samples = kind === 'f32' ? Float32Array.from(whole, (sample) => sample / 32768) : whole;
    const found = [];
    for (let at = 0; at < samples.length; at += Number(piece)) {
      found.push(...listener.feed(samples.subarray(at, at + Number(piece))));
    }
    console.log(JSON.stringify([...found, listener.whole()]));
  },

  async sessions() {
    const model = await Model.load();
    const x = new Float32Array(model.inputs[0].width).fill(0.5);
    const first = model.session();
    const expected = first.step(x);
    for (let i = 0; i < 2000; i++) { // closed ones must give their memory back
      const session = model.session();
      if (!session.step(x).every((value, k) => value === expected[k])) throw new Error('other numbers');
      session.close();
    }
    console.log('same');
  },

  async errors([other]) {
    const model = await Model.load();
    const { width } = model.inputs[0];
    const session = model.session();
    const found = {
      'null array': await message(() => model.run(null)),
      'other type': await message(() => model.run(new Float64Array(width))),
      'half a row': await message(() => model.run(new Float32Array(width + 1))),
      'two rows': await message(() => session.step(new Float32Array(2 * width))),
      'no array': await message(() => session.step()),
      'other file': await message(() => Model.load(other)),
      'no bytes': await message(() => Model.load(null)),
      'no recipe': await message(() => model.listener(undefined)),
    };
    const shifted = new Uint8Array(readFileSync(words[1]).length + 1);
    shifted.set(readFileSync(words[1]), 1);
    found['bytes at an odd address'] = await message(() => Model.load(shifted.subarray(1)));
    session.close();
    found['closed session'] = await message(() => session.step(new Float32Array(width)));
    model.close();
    found['closed model'] = await message(() => model.run(new Float32Array(width)));
    found.type = (await Model.load(other).catch((error) => error)) instanceof ErnnError;
    console.log(JSON.stringify(found));
  },

  async tokens([path, text]) {
    const model = await Model.load(path);
    const own = await Model.load();
    const found = {
      tokens: [...model.tokenize(text)],
      'null text': await message(() => model.tokenize(null)),
      'no vocabulary': await message(() => own.tokenize(text)),
    };
    model.close();
    found['closed model'] = await message(() => model.tokenize(text));
    console.log(JSON.stringify(found));
  },

  async sensors([path, input]) {
    const model = await Model.load(path);
    const listener = model.listener(model.sensorRate, { threshold: 0.2, smooth: 1, pause: 0.1 });
    const samples = floats(input);
    const found = [];
    for (let at = 0; at < samples.length; at += 21) found.push(...listener.feed(samples.subarray(at, at + 21)));
    found.push(listener.whole());
    const errors = [
      await message(() => model.listener(49)),
      await message(() => model.listener(50, { every: 0.5 })),
      await message(() => listener.feed(new Float32Array(4))),
      await message(() => listener.feed(new Int16Array(3))),
    ];
    listener.reset();
    const atOnce = [...listener.feed(samples), listener.whole()];
    console.log(JSON.stringify({ found, same: JSON.stringify(atOnce) === JSON.stringify(found), errors }));
  },

  async sound_errors() {
    const model = await Model.load();
    const listener = model.listener(8000);
    console.log(JSON.stringify({
      'low rate': await message(() => model.listener(4000)),
      'no rate': await message(() => model.listener(undefined)),
      'null sound': await message(() => listener.feed(null)),
      'too loud': await message(() => listener.feed(new Float32Array([0, 3000]))),
    }));
  },
};

await commands[command](words);
