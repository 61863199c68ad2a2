"""Writes dashboards/*.json, which Grafana reads, from the definitions below.

    python deploy/grafana/make_dashboards.py            (over what is there; --check: only compares)

An expression that has no data while all is well belongs to a panel whose description ends in ONLY_ON_FAILURE.
"""

import json
import pathlib
import sys

from panels import ONLY_ON_FAILURE, choice, dashboard, figure, heatmap, lines, mean, quantiles, row

FOLDER = pathlib.Path(__file__).parent / "dashboards"
SERVICES = "edit-server|gateway|pair-generator|prompt-generator|training-coordinator"
RATE = "[$__rate_interval]"


def overview():
    return dashboard("overview", "ip2p: overview", "Captions to prompts to pairs to checkpoints to edits, at a glance.", [
        figure("Services that answer", f'sum(up{{job=~"{SERVICES}"}})', width=4),
        figure("Alerts firing", 'count(ALERTS{alertname=~"Ip2p.+", alertstate="firing"})', bad_above=1,
               about=ONLY_ON_FAILURE),
        figure("Prompts a minute", f"60 * sum(rate(ip2p_prompts_generated_total{RATE}))"),
        figure("Pairs a minute", f"60 * sum(rate(ip2p_pairs_accepted_total{RATE}))"),
        figure("Samples trained on, a second", f'sum(rate(ip2p_train_samples_total{{objective!=""}}{RATE}))'),
        figure("Edits a minute", f'60 * sum(rate(ip2p_edit_requests_total{{code="OK"}}{RATE}))'),
        row("Services"),
        lines("Up", (f'min by (job) (up{{job=~"{SERVICES}"}})', "{{job}}"), most=1.2),
        lines("Calls", [(f"sum(rate(ip2p_edit_requests_total{RATE}))", "edit"),
                        (f"sum(rate(ip2p_prompts_requests_total{RATE}))", "prompts"),
                        (f"sum(rate(ip2p_pairs_requests_total{RATE}))", "pairs"),
                        (f"sum(rate(ip2p_train_requests_total{RATE}))", "training"),
                        (f"sum(rate(ip2p_gateway_requests_total{RATE}))", "gateway")], "reqps"),
        lines("Calls that end in an error",
              [(f'sum by (code) (rate(ip2p_edit_requests_total{{code!="OK"}}{RATE}))', "edit {{code}}"),
               (f'sum by (code) (rate(ip2p_prompts_requests_total{{code!="OK"}}{RATE}))', "prompts {{code}}"),
               (f'sum by (code) (rate(ip2p_pairs_requests_total{{code!="OK"}}{RATE}))', "pairs {{code}}"),
               (f'sum by (code) (rate(ip2p_train_requests_total{{code!="OK"}}{RATE}))', "training {{code}}"),
               (f'sum by (code) (rate(ip2p_gateway_requests_total{{code=~"[45].."}}{RATE}))', "gateway {{code}}")],
              "reqps", about=f"By gRPC code, or HTTP status. {ONLY_ON_FAILURE}"),
        lines("Waiting", [("sum(ip2p_edit_queue_depth)", "edits"), ("sum(ip2p_pairs_queue_depth)", "pair requests"),
                          ('sum(ip2p_train_jobs{state="queued"})', "training jobs")]),
        lines("Time to an edit", [("ip2p:edit_request_duration_seconds:p50_5m", "p50"),
                                  ("ip2p:edit_request_duration_seconds:p95_5m", "p95"),
                                  ("ip2p:edit_request_duration_seconds:p99_5m", "p99")], "s"),
        lines("Training jobs", ("sum by (state) (ip2p_train_jobs) > 0", "{{state}}"), stacked=True),
        row("Gateway"),
        lines("Web requests by status", (f"sum by (code) (rate(ip2p_gateway_requests_total{RATE}))", "{{code}}"), "reqps",
              stacked=True),
        lines("Web requests by route", (f"sum by (route) (rate(ip2p_gateway_requests_total{RATE}))", "{{route}}"), "reqps",
              stacked=True),
        lines("Time of web requests, p95", ("ip2p:gateway_request_duration_seconds:p95_5m", "{{route}}"), "s"),
        lines("Web requests refused",
              (f'sum by (route, code) (rate(ip2p_gateway_requests_total{{code=~"4..|503"}}{RATE}))', "{{code}} {{route}}"),
              "reqps", "401 and 403: token or origin; 413: too large; 429 and 503: too much at once, or a service is away. "
              f"{ONLY_ON_FAILURE}", width=12),
        lines("Streams under way", ("sum(ip2p_gateway_open_streams)", "edits and watches"), width=12),
    ])


def prompts():
    return dashboard("prompts", "ip2p: prompts", "Captions to edit instructions: yield, spending, the provider.", [
        figure("Prompts", "sum(ip2p_prompts_generated_total)", about="Since the process started."),
        figure("Spent", "sum(ip2p_prompts_cost_usd_total)", "currencyUSD", "By the price file, since the process started."),
        figure("Spent in the last hour", "ip2p:prompts_cost_usd:increase1h", "currencyUSD", bad_above=50),
        figure("A thousand prompts cost", "1000 * ip2p:prompts_cost_usd:per_prompt_1h", "currencyUSD"),
        figure("Rejected", "ip2p:prompts_rejected:ratio_rate15m", "percentunit", bad_above=0.5),
        figure("Runs under way", "sum(ip2p_prompts_runs)"),
        row("Yield"),
        lines("Prompts a second", ("ip2p:prompts_generated:rate5m", "prompts"), width=12),
        lines("Rejected captions by reason", (f"sum by (reason) (rate(ip2p_prompts_rejected_total{RATE}))", "{{reason}}"),
              width=12, stacked=True, about="Those that are refused for good: no reason is retried beyond --max-tries."),
        row("Spending"),
        lines("Dollars an hour", (f"3600 * sum(rate(ip2p_prompts_cost_usd_total{RATE}))", "spent"), "currencyUSD"),
        lines("Tokens a second", (f"sum by (kind) (rate(ip2p_prompts_tokens_total{RATE}))", "{{kind}}")),
        lines("Tokens a prompt", (f"sum by (kind) (rate(ip2p_prompts_tokens_total{RATE})) / on () group_left () "
                                  f"sum(rate(ip2p_prompts_generated_total{RATE}))", "{{kind}}")),
        row("Provider"),
        lines("Requests by status", (f"sum by (status) (rate(ip2p_prompts_api_requests_total{RATE}))", "{{status}}"),
              "reqps", width=12, stacked=True, about="HTTP status, or why there was none."),
        lines("Requests that fail", ("ip2p:prompts_api_failures:ratio_rate5m", "share"), "percentunit", width=6),
        lines("Calls by code", (f"sum by (method, code) (rate(ip2p_prompts_requests_total{RATE}))", "{{method}} {{code}}"),
              "reqps", width=6),
    ])


def pairs():
    scores = [("sim_0", "image and text before"), ("sim_1", "image and text after"),
              ("sim_dir", "direction between the images against that of the texts"), ("sim_image", "both images")]
    return dashboard("pairs", "ip2p: pairs", "Prompts to image pairs: throughput, acceptance, what CLIP says.", [
        figure("Samples", "sum(ip2p_pairs_sampled_total)", about="Since the process started."),
        figure("Pairs kept", "sum(ip2p_pairs_accepted_total)", about="Since the process started."),
        figure("Samples a minute", "60 * ip2p:pairs_sampled:rate5m"),
        figure("Pairs a minute", "60 * ip2p:pairs_accepted:rate5m"),
        figure("Samples over all thresholds", "ip2p:pairs_passing:ratio_rate30m", "percentunit"),
        figure("Requests that wait", "sum(ip2p_pairs_queue_depth)"),
        row("Throughput"),
        lines("Samples and pairs a second", [(f"sum(rate(ip2p_pairs_sampled_total{RATE}))", "sampled"),
                                             (f"sum(rate(ip2p_pairs_accepted_total{RATE}))", "kept")]),
        lines("Time of a prompt", quantiles("ip2p_pairs_prompt_duration_seconds", wanted=(0.5, 0.95)), "s",
              "All samples of one prompt."),
        lines("Wait for the model", quantiles("ip2p_pairs_queue_duration_seconds", wanted=(0.5, 0.95)), "s"),
        row("Acceptance"),
        lines("Samples not kept, by filter", (f"sum by (filter) (rate(ip2p_pairs_rejected_total{RATE}))", "{{filter}}"),
              stacked=True, about="rank: it passed, but max_out_samples others were better."),
        lines("Calls by code", (f"sum by (method, code) (rate(ip2p_pairs_requests_total{RATE}))", "{{method}} {{code}}"),
              "reqps"),
        lines("Requests given up", (f"sum(increase(ip2p_pairs_cancelled_total{RATE}))", "by callers or deadlines")),
        row("Scores"),
        lines("Medians", ("ip2p:pairs_clip_score:p50_30m", "{{kind}}"), width=24, height=6),
        *[heatmap(f"{kind}: {what}", f'ip2p_pairs_clip_score{{kind="{kind}"}}') for kind, what in scores],
    ])


def training():
    chosen = '{objective=~"$objective"}'
    return dashboard("training", "ip2p: training", "Jobs, their loss and speed, and whether they stand still.", [
        figure("Running", 'sum(ip2p_train_jobs{state="running"})'),
        figure("Waiting", 'sum(ip2p_train_jobs{state="queued"})'),
        figure("Failed", 'sum(ip2p_train_jobs{state="failed"})', bad_above=1),
        figure("Standing still", "ip2p:train_stalled:bool15m", bad_above=1, mappings=[(0, "no"), (1, "yes")],
               about="Jobs run, and none has made a step for 15 minutes."),
        figure("Newest checkpoint", f"time() - max(ip2p_train_checkpoint_timestamp_seconds{chosen})", "s",
               "Its age: what a lost rank would cost at most.", bad_above=14400),
        figure("Restarts", f"sum(ip2p_train_restarts_total{chosen})", bad_above=3,
               about=f"Groups that were started again after a lost rank. {ONLY_ON_FAILURE}"),
        row("Learning"),
        lines("Loss", (f"avg_over_time(ip2p_train_loss{chosen}[$__rate_interval])", "{{objective}}"),
              about="Of the last step, mean over ranks and over the interval.", width=12, log=True),
        lines("Validation loss", (f"ip2p_train_validation_loss{chosen}", "{{objective}}"), width=6, log=True),
        lines("Learning rate", (f"ip2p_train_learning_rate{chosen}", "{{objective}}"), "sci", width=6),
        row("Speed"),
        lines("Samples a second", (f"sum by (objective) (rate(ip2p_train_samples_total{chosen}{RATE}))", "{{objective}}"),
              about="All ranks."),
        lines("Time of a step", quantiles("ip2p_train_step_duration_seconds", "objective", (0.5, 0.95), chosen), "s"),
        lines("Waiting for data", (f"sum by (objective) (rate(ip2p_train_data_wait_seconds_total{chosen}{RATE}))",
                                   "{{objective}}"), "percentunit", "Seconds a second, summed over jobs."),
        row("Jobs"),
        lines("Steps", (f"ip2p_train_step{chosen}", "{{objective}}"), about="Of the job that reported last."),
        lines("Jobs by state", ("sum by (state) (ip2p_train_jobs)", "{{state}}")),
        lines("Slots", ("sum by (kind, use) (ip2p_train_slots)", "{{kind}} {{use}}")),
        lines("Calls by code", (f"sum by (method, code) (rate(ip2p_train_requests_total{RATE}))", "{{method}} {{code}}"),
              "reqps", width=24),
    ], [choice("objective", "Objective", "label_values(ip2p_train_loss, objective)")])


def edits():
    chosen = '{model=~"$model"}'
    stage = "ip2p_edit_stage_duration_seconds"
    return dashboard("edits", "ip2p: edits", "What callers wait for: latency, queue, batches, stages.", [
        figure("Edits a minute", f'60 * sum(rate(ip2p_edit_requests_total{{code="OK", model=~"$model"}}{RATE}))'),
        figure("Fail", "ip2p:edit_failures:ratio_rate5m", "percentunit", bad_above=0.05),
        figure("Refused", "ip2p:edit_refusals:ratio_rate5m", "percentunit", "The queue or a quota was full.", bad_above=0.1),
        figure("p95", "ip2p:edit_request_duration_seconds:p95_5m", "s"),
        figure("Under way", "sum(ip2p_edit_in_flight)"),
        figure("Pictures a batch", "ip2p:edit_batch_size:mean5m"),
        row("Requests"),
        lines("Latency", quantiles("ip2p_edit_request_duration_seconds"), "s", "From admission to the answer.", width=12),
        lines("Calls by model and code", (f"sum by (model, code) (rate(ip2p_edit_requests_total{chosen}{RATE}))",
                                          "{{model}} {{code}}"), "reqps", width=6, stacked=True),
        lines("Given up and failed", [(f"sum(increase(ip2p_edit_cancelled_total{RATE}))", "cancelled"),
                                      (f"sum(increase(ip2p_edit_model_failures_total{RATE}))", "failed in the model")],
              width=6),
        row("Queue"),
        lines("Waiting and under way", [("sum(ip2p_edit_queue_depth)", "waiting"), ("sum(ip2p_edit_in_flight)", "under way")]),
        lines("Wait for the model", quantiles("ip2p_edit_queue_duration_seconds"), "s"),
        lines("Mean wait, which scales", ("ip2p:edit_queue_duration_seconds:mean2m", "mean of 2 minutes"), "s",
              "What the autoscaler follows."),
        row("Model"),
        lines("Stages, mean", mean(stage, "stage"), "s", "denoise is one step; an edit has many.", width=12),
        lines("Stages, share of the time", (f"sum by (stage) (rate({stage}_sum{RATE}))", "{{stage}}"), "percentunit",
              "Seconds a second, summed over servers.", width=12, stacked=True),
        lines("One denoising step", [*quantiles("ip2p_edit_denoise_step_duration_seconds", wanted=(0.5, 0.95)),
                                     mean("ip2p_edit_denoise_step_duration_seconds")], "s"),
        lines("Batch size", [*quantiles("ip2p_edit_batch_size", wanted=(0.95,)), mean("ip2p_edit_batch_size")]),
        heatmap("Batch sizes", "ip2p_edit_batch_size", width=8),
    ], [choice("model", "Model", "label_values(ip2p_edit_requests_total, model)")])


DASHBOARDS = {"overview": overview, "prompts": prompts, "pairs": pairs, "training": training, "edits": edits}


def main(arguments):
    stale = []
    for name, make in DASHBOARDS.items():
        file, text = FOLDER / f"{name}.json", json.dumps(make(), indent=1) + "\n"
        if not file.exists() or file.read_text() != text:
            stale.append(name)
            if arguments != ["--check"]:
                file.write_text(text)
    if arguments == ["--check"] and stale:
        print("not as the definitions make them: " + ", ".join(stale), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
