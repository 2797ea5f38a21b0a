#include "rlhf/options.hpp"

#include "model/generator.hpp"

namespace precis {

void add_ppo_options(OptionTable& table, PpoOptions& o) {
  const std::string paper = "Stiennon 2020, appendix B";
  const std::string ziegler = "Ziegler 2019 (n/r in Stiennon 2020)";
  const std::string nplus = "N+ implementation details 2024";
  table.add("ppo.batch", &o.batch,
            {.unit = "episodes",
             .meaning = "of a step, over all ranks",
             .source = paper,
             .minimum = 1,
             .maximum = 1e9});
  table.add("ppo.epochs", &o.epochs,
            {.meaning = "passes over each batch", .source = paper, .minimum = 1, .maximum = 1e9});
  table.add(
      "ppo.mini_batches", &o.mini_batches,
      {.meaning = "optimizer updates a pass", .source = ziegler, .minimum = 1, .maximum = 1e9});
  table.add("ppo.kl", &o.kl,
            {.unit = "reward/nat",
             .meaning = "coefficient of the KL penalty (the first one if it adapts)",
             .source = paper,
             .maximum = 1e6});
  table.add(
      "ppo.kl_estimator", &o.kl_estimator,
      {{"k1", KlEstimator::k1}, {"k3", KlEstimator::k3}, {"exact", KlEstimator::exact}},
      {.meaning = "of the KL in each token's reward: k1 = d (log-prob less the reference's), k3 = "
                  "exp(-d) - 1 + d, exact = the sum over the vocabulary; a reward only, through "
                  "which no gradient flows, so that k3 and exact leave out a direct gradient term, "
                  "which k1 does not have",
       .source = paper + ": k1"});
  table.add("ppo.kl_target", &o.kl_target,
            {.unit = "nats",
             .meaning = "adapt the coefficient to this KL a summary; 0: constant",
             .source = paper + ": constant",
             .maximum = 1e6});
  table.add("ppo.kl_horizon", &o.kl_horizon,
            {.unit = "episodes",
             .meaning = "over which the coefficient adapts",
             .source = "Ziegler 2019",
             .maximum = 1e30,
             .above = 0});
  table.add("ppo.clip", &o.clip,
            {.meaning = "of the policy's ratio; 0: off", .source = ziegler, .maximum = 1e6});
  table.add("ppo.value_clip", &o.value_clip,
            {.meaning = "of the change of a value; 0: off", .source = ziegler, .maximum = 1e6});
  table.add("ppo.value_coefficient", &o.value_coefficient,
            {.meaning = "factor of the value loss", .source = ziegler, .maximum = 1e6});
  table.add("ppo.value_learning_rate", &o.value_learning_rate,
            {.meaning = "peak rate of the value network",
             .source = paper,
             .maximum = 1e30,
             .default_text = "train.learning_rate"});
  table.add("ppo.value_warmup_steps", &o.value_warmup_steps,
            {.unit = "steps",
             .meaning = "at the beginning that update the value network only, not the policy",
             .source = paper + ": none",
             .maximum = 1e9});
  table.add("ppo.gamma", &o.gamma, {.meaning = "discount", .source = paper, .maximum = 1});
  table.add("ppo.lambda", &o.lambda,
            {.meaning = "of the advantage estimate (GAE)", .source = paper, .maximum = 1});
  table.add("ppo.value_lambda", &o.value_lambda,
            {.meaning = "of the returns that the value network learns",
             .source = paper + ": one lambda",
             .maximum = 1,
             .default_text = "ppo.lambda"});
  table.add("ppo.whiten", &o.whiten,
            {.meaning = "centre and scale the batch's advantages", .source = ziegler});
  table.add("ppo.temperature", &o.temperature,
            {.meaning = "of sampling, log-probs, entropy and KL",
             .source = paper,
             .minimum = smallest_temperature,
             .maximum = 1e6});
  table.add(
      "ppo.missing_end", &o.missing_end,
      {{"replace", MissingEnd::replace},
       {"subtract", MissingEnd::subtract},
       {"none", MissingEnd::none}},
      {.meaning = "score of a summary without end token: the value, the value added, or as it is",
       .source = nplus});
  table.add("ppo.missing_end_value", &o.missing_end_value,
            {.unit = "reward",
             .meaning = "for ppo.missing_end",
             .source = nplus,
             .minimum = -1e30,
             .maximum = 1e30});
  table.add("ppo.max_kl", &o.max_kl,
            {.unit = "nats",
             .meaning = "stop the run when the KL a summary is above this; 0: off",
             .source = "precis",
             .maximum = 1e30});
  table.add("ppo.check_weights", &o.check_weights,
            {.meaning = "after each step compare digests of the policy's weights on all ranks of "
                        "rollout and learner, and of what each episode was sampled from",
             .source = "precis"});
  table.add(
      "ppo.staleness", &o.staleness,
      {.unit = "steps",
       .meaning = "by which rollouts lag behind: with 1 the next batch is generated and scored "
                  "from the former weights while the learner learns; the ratio then refers to "
                  "the log-probs of the policy that sampled",
       .source = paper + ": 0",
       .maximum = 1});
  table.add(
      "ppo.correction", &o.correction,
      {{"none", Correction::none}, {"truncate", Correction::truncate}, {"mask", Correction::mask}},
      {.meaning = "of stale episodes (with ppo.staleness 1): none, or the ratio refers to the "
                  "learner's own log-probs and each advantage is weighed by how much more likely "
                  "the policy makes it than the one that sampled; weights above "
                  "ppo.correction_cap are truncated to it, or masked to 0 as are those below its "
                  "inverse",
       .source = "Hilton 2022, Espeholt 2018; precis: none"});
  table.add("ppo.correction_level", &o.correction_level,
            {{"token", CorrectionLevel::token}, {"sequence", CorrectionLevel::sequence}},
            {.meaning = "a weight for each token, or the product of a response's for all of them",
             .source = "precis"});
  table.add("ppo.correction_cap", &o.correction_cap,
            {.meaning = "of the weights of ppo.correction",
             .source = "precis",
             .minimum = 1,
             .maximum = 1e6});
  table.add("ppo.log_episodes", &o.log_episodes,
            {.unit = "episodes",
             .meaning = "of each step written to episodes.jsonl",
             .source = "precis",
             .maximum = 1e9});
  table.add("ppo.replay", &o.replay,
            {.meaning = "take the responses from this episodes.jsonl instead of sampling",
             .source = "precis: sample"});
  table.add("ppo.samples_every", &o.samples_every,
            {.unit = "steps",
             .meaning = "between summaries written to samples.jsonl; 0: at the end only",
             .source = "precis",
             .maximum = 1e9});
  table.add("placement", &o.placement,
            {.meaning = "all roles on all ranks, or each on its own",
             .source = "precis",
             .choices = {"colocated", "dedicated"},
             .launch = true});
  table.add("rollout.grid", &o.rollout_grid,
            {.meaning = "layout of the rollout ranks",
             .source = "precis: grid; dedicated: dp on the ranks left over",
             .launch = true});
  table.add("rollout.max_sequences", &o.max_sequences,
            {.meaning = "generated at the same time by a copy of the policy",
             .source = "precis",
             .minimum = 1,
             .maximum = 1e6});
  table.add("reward.grid", &o.reward_grid,
            {.meaning = "layout of the reward ranks",
             .source = "precis: grid; dedicated: dp on a quarter of the ranks",
             .launch = true});
  table.add("reward.group", &o.reward_group,
            {.unit = "episodes",
             .meaning = "scored together",
             .source = "precis",
             .minimum = 1,
             .maximum = 1e6});
  table.add("learner.grid", &o.learner_grid,
            {.meaning = "layout of the learner ranks",
             .source = "precis: grid; dedicated: dp on a quarter of the ranks",
             .launch = true});
}

}  // namespace precis
