// Preloaded into servers that don't tell which port 0 became: prints "PORT n" when one listens.
const net = require("net");
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...args) {
  this.once("listening", () => console.log(`PORT ${this.address().port}`));
  return listen.apply(this, args);
};
