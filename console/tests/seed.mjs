// What a server has before the scenarios begin: failed, waiting and live runs, and a secret.
import { api, service, until } from "./support.mjs";

export const FLOWS = `action charge addr = "${service}/nowhere"; args = (str order); return = (PAID | REFUSED); action_end
/
action review method = human; args = (str order, float amount); return = (AGREE | REJECT); timeout = 1d; action_end
/
action guarded
    addr = "${service}/answer"; args = (secret str key = secret "pay.key"); return = (OK); data = secret;
action_end
/
flow order
    input = (str order, float amount = 10.0);
    deci Size => (when \${ $input.amount > 1000 } -> Review | else -> Charge);
    deci Review => (AGREE -> Charge | REJECT -> stopped | TIMEOUT -> stopped) {
        action = review; args = (order = \${ $input.order }, amount = \${ $input.amount });
    };
    # the money
    step Charge => (PAID -> done | REFUSED -> stopped) { action = charge; args = (order = \${ $input.order }); };
flow_end
/
flow slow
    wait Rest => (DONE -> done) { for = 1h; };
flow_end
/
flow sealed
    step Use => (OK -> Rest) { action = guarded; };
    wait Rest => (DONE -> done) { for = 1h; };
flow_end`;

/** Define the flows and start runs; return when those that fail have failed. */
export async function seed() {
  await api("PUT", "/secret/pay.key", { value: "s3cr3t-of-the-bank" });
  await api("POST", "/fsl", undefined, { text: FLOWS });
  for (const [name, amount] of [["o-1", 50], ["o-2", 60], ["o-3", 5000], ["o-4", 6000]]) await api("POST", "/flow/order/runs", { name, input: { order: name, amount }, labels: { team: "a" } });
  for (const name of ["s-1", "s-2"]) await api("POST", "/flow/slow/runs", { name });
  await api("POST", "/flow/sealed/runs", { name: "sealed-1" });
  await until(async () => (await api("GET", "/flowrun?status=failed&view=summary")).length === 2);
}
