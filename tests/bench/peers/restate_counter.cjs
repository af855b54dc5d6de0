// A virtual object of Restate: a counter in its state, one `add` a request.
Promise.withResolvers ??= () => {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};
const http2 = require("node:http2");
const restate = require("@restatedev/restate-sdk");

const counter = restate.object({
  name: "Counter",
  handlers: {
    add: async (ctx, amount) => {
      const count = ((await ctx.get("count")) ?? 0) + amount;
      ctx.set("count", count);
      return count;
    },
  },
});

// Not restate.serve: it listens on every address.
http2
  .createServer(restate.createEndpointHandler({ services: [counter] }))
  .listen(Number(process.env.COUNTER_PORT), "127.0.0.1");
