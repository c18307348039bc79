// What programs do with OpenAI's client for Node.js. Each case prints a line: its name, and what was wrong.
const OpenAI = require('openai');
const assert = require('node:assert/strict');

const { BASE_URL, KEY, SLOW_KEY, ONCE_KEY, ENGINE_URL, ANSWER, MODEL } = process.env;
const client = new OpenAI({ baseURL: BASE_URL, apiKey: KEY, maxRetries: 0 });
const ask = (content, more) => ({ model: MODEL, messages: [{ role: 'user', content }], ...more });
const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } } }];

// refused is the error that a call ends with.
async function refused(call) {
  try {
    await call;
  } catch (e) {
    return e;
  }
  throw new Error('no error');
}

const cases = {
  async chat() {
    const c = await client.chat.completions.create(ask('Hi', { user: 'ana' }));
    assert.equal(c.choices[0].message.content, ANSWER);
    assert.equal(c.choices[0].finish_reason, 'stop');
    assert.equal(c.model, MODEL);
    assert.equal(c.usage.total_tokens, 12);
    assert.equal(c.usage.prompt_tokens_details.cached_tokens, 2);
    assert.equal(c.aguante.engine, 'scripted');
  },

  async streaming() {
    let text = '', finish, usage;
    for await (const c of await client.chat.completions.create(ask('Hi', { stream: true, stream_options: { include_usage: true } }))) {
      text += c.choices[0]?.delta?.content ?? '';
      finish = c.choices[0]?.finish_reason ?? finish;
      usage = c.usage ?? usage;
      assert.match(c.id, /^chatcmpl-/);
    }
    assert.equal(text, ANSWER);
    assert.equal(finish, 'stop');
    assert.equal(usage.total_tokens, 12);
  },

  async 'streaming helper'() {
    const c = await client.chat.completions.stream(ask('Hi')).finalChatCompletion();
    assert.equal(c.choices[0].message.content, ANSWER);
  },

  async tools() {
    const c = await client.chat.completions.create(ask('Weather?', { tools }));
    const call = c.choices[0].message.tool_calls[0];
    assert.equal(c.choices[0].finish_reason, 'tool_calls');
    assert.deepEqual([call.id, call.function.name, JSON.parse(call.function.arguments)], ['call_1', 'weather', { city: 'Quito' }]);
  },

  async 'tools in a stream'() {
    const c = await client.chat.completions.stream(ask('Weather?', { tools })).finalChatCompletion();
    assert.equal(c.choices[0].message.tool_calls[0].function.arguments, '{"city":"Quito"}');
    assert.equal(c.choices[0].finish_reason, 'tool_calls');
  },

  async 'what a tool answered'() {
    const messages = [{ role: 'user', content: 'Weather?' },
      { role: 'assistant', content: null, tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{}' } }] },
      { role: 'tool', tool_call_id: 'call_1', content: 'sunny' }];
    const c = await client.chat.completions.create({ model: MODEL, messages });
    assert.equal(c.choices[0].message.content, ANSWER);
  },

  async 'several choices'() {
    const c = await client.chat.completions.create(ask('Hi', { n: 2 }));
    assert.deepEqual(c.choices.map((one) => one.message.content), [ANSWER, ANSWER]);
    const streamed = await client.chat.completions.stream(ask('Hi', { n: 2 })).finalChatCompletion();
    assert.deepEqual(streamed.choices.map((one) => one.message.content), [ANSWER, ANSWER]);
  },

  async 'response_format and unknown fields'() {
    await client.chat.completions.create(ask('node format', { response_format: { type: 'json_schema', json_schema: { name: 'n', schema: {} } }, unheard_of: [1] }));
  },

  async 'parts of a message'() {
    const parts = [{ type: 'text', text: 'node parts' }, { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } }];
    const c = await client.chat.completions.create(ask(parts));
    assert.equal(c.choices[0].message.content, ANSWER);
  },

  async models() {
    const names = [];
    for await (const m of client.models.list()) names.push(m.id);
    assert.deepEqual(names, ['scripted', 'local']);
    assert.equal((await client.models.retrieve('local')).id, 'local');
    assert.ok((await refused(client.models.retrieve('none'))) instanceof OpenAI.NotFoundError);
  },

  async 'unknown key'() {
    const e = await refused(new OpenAI({ baseURL: BASE_URL, apiKey: 'unknown', maxRetries: 0 }).chat.completions.create(ask('Hi')));
    assert.ok(e instanceof OpenAI.AuthenticationError, `${e}`);
    assert.equal(e.code, 'invalid_api_key');
  },

  async 'refused by the engine'() {
    for (const stream of [false, true]) {
      const e = await refused(client.chat.completions.create(ask('refuse', { stream })));
      assert.ok(e instanceof OpenAI.BadRequestError, `${e}`);
      assert.deepEqual([e.code, e.error.message], ['content_filter', 'filtered']);
    }
  },

  async 'bad request'() {
    const e = await refused(client.chat.completions.create({ model: MODEL, messages: [] }));
    assert.ok(e instanceof OpenAI.BadRequestError, `${e}`);
    assert.equal(e.param, 'messages');
  },

  async 'too large'() {
    const e = await refused(client.chat.completions.create(ask('x'.repeat(2 << 20))));
    assert.equal(e.status, 413);
  },

  async 'no such route'() {
    assert.ok((await refused(client.embeddings.create({ model: MODEL, input: 'x' }))) instanceof OpenAI.NotFoundError);
  },

  async 'rate limit and retries'() {
    const once = new OpenAI({ baseURL: BASE_URL, apiKey: ONCE_KEY, maxRetries: 0 });
    await once.chat.completions.create(ask('Hi'));
    const e = await refused(once.chat.completions.create(ask('Hi')));
    assert.ok(e instanceof OpenAI.RateLimitError, `${e}`);
    assert.equal(e.code, 'rate_limit_exceeded');
    assert.ok(Number(e.headers.get('retry-after')) >= 1);
    const slow = new OpenAI({ baseURL: BASE_URL, apiKey: SLOW_KEY, maxRetries: 3 });
    await slow.chat.completions.create(ask('Hi'));
    const c = await slow.chat.completions.create(ask('Hi'));
    assert.equal(c.choices[0].message.content, ANSWER);
  },

  async cancel() {
    const leaving = new AbortController();
    fetch(`${ENGINE_URL}/hanging`).then(() => leaving.abort());
    const e = await refused(client.chat.completions.create(ask('hang'), { signal: leaving.signal }));
    assert.ok(e instanceof OpenAI.APIUserAbortError, `${e}`);
    const stream = await client.chat.completions.create(ask('hang', { stream: true }));
    for await (const c of stream) {
      if (c.choices[0]?.delta?.content) stream.controller.abort();
    }
  },
};

(async () => {
  for (const [name, run] of Object.entries(cases)) {
    const fault = await run().then(() => '', (e) => e.stack);
    console.log(JSON.stringify({ name, fault }));
  }
})();
