#include "base/hints.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace precis {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Words = std::vector<std::string>;

TEST(Hints, EditDistance) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("setps", "steps"), 1U);  // neighbours swapped
  EXPECT_EQ(edit_distance("same", "same"), 0U);
}

const Words keys{"run",          "seed",           "train.steps",  "train.learning_rate",
                 "train.keep",   "train.schedule", "train.beta1",  "train.beta2",
                 "train.warmup", "ppo.batch",      "ppo.kl_target"};

TEST(Hints, SlipsOfTheHand) {
  EXPECT_THAT(meant_by("train.setps", keys).words, ElementsAre("train.steps"));
  EXPECT_THAT(meant_by("trian.steps", keys).words, ElementsAre("train.steps"));
  EXPECT_THAT(meant_by("sed", keys).words, ElementsAre("seed"));
  EXPECT_THAT(meant_by("ru", keys).words, ElementsAre("run"));
  EXPECT_THAT(meant_by("lerning-rate", keys).words, ElementsAre("train.learning_rate"));
  EXPECT_THAT(meant_by("SEED", keys).words, ElementsAre("seed"));
  EXPECT_THAT(meant_by("train.beta3", keys).words, ElementsAre("train.beta1", "train.beta2"));
}

TEST(Hints, TheNameCountsMoreThanTheSection) {
  EXPECT_THAT(meant_by("learning_rate", keys).words, ElementsAre("train.learning_rate"));
  EXPECT_THAT(meant_by("train_learning_rate", keys).words, ElementsAre("train.learning_rate"));
  EXPECT_THAT(meant_by("train.batch", keys).words, ElementsAre("ppo.batch"));
  EXPECT_THAT(meant_by("steps", Words{"a.steps", "b.steps"}).words,
              ElementsAre("a.steps", "b.steps"));
  EXPECT_THAT(meant_by("b.stesp", Words{"a.steps", "b.steps"}).words, ElementsAre("b.steps"));
}

TEST(Hints, PartsOfNames) {
  EXPECT_THAT(meant_by("rate", keys).words, ElementsAre("train.learning_rate"));
  EXPECT_THAT(meant_by("beta", keys).words, ElementsAre("train.beta1", "train.beta2"));
  EXPECT_THAT(meant_by("target", keys).words, ElementsAre("ppo.kl_target"));
  EXPECT_THAT(meant_by("kl", keys).words, IsEmpty());  // too short to tell
  EXPECT_THAT(meant_by("max", Words{"max_a", "max_b", "max_c", "max_d"}).words, IsEmpty());
}

TEST(Hints, NothingWhereNothingIsClose) {
  EXPECT_THAT(meant_by("train.lr", keys).words, IsEmpty());
  EXPECT_THAT(meant_by("rita", Words{"ann", "bob", "flo"}).words, IsEmpty());
  EXPECT_THAT(meant_by("a", Words{"b"}).words, IsEmpty());
  EXPECT_THAT(meant_by("", keys).words, IsEmpty());
  EXPECT_THAT(meant_by("seed", {}).words, IsEmpty());
}

TEST(Hints, AliasesPointOnlyToWhatIsThere) {
  const std::vector<Alias> aliases{{"lr", "train.learning_rate"},
                                   {"batch_size", "train.batch"},
                                   {"batch_size", "ppo.batch", "Over all ranks."},
                                   {"seed", "run"}};
  for (const char* word : {"lr", "LR", "train.lr", "train_lr", "optim.lr"}) {
    EXPECT_THAT(meant_by(word, keys, aliases).words, ElementsAre("train.learning_rate")) << word;
  }
  const Hint hint = meant_by("batch-size", keys, aliases);
  EXPECT_THAT(hint.words, ElementsAre("ppo.batch"));
  EXPECT_EQ(question(hint, "--"), " Did you mean --ppo.batch? Over all ranks.");
  EXPECT_THAT(meant_by("data.seed", keys, aliases).words, ElementsAre("seed"));  // a name wins
  EXPECT_THAT(meant_by("lr", Words{"seed"}, aliases).words, IsEmpty());
}

TEST(Hints, SlipsInAliasesComeLast) {
  const std::vector<Alias> aliases{{"dataset", "seed", "Not the same."}, {"traim", "run"}};
  const Hint hint = meant_by("datasett", keys, aliases);
  EXPECT_THAT(hint.words, ElementsAre("seed"));
  EXPECT_EQ(hint.note, "Not the same.");
  EXPECT_THAT(meant_by("train.setps", keys, aliases).words, ElementsAre("train.steps"));
  EXPECT_THAT(meant_by("datum", keys, aliases).words, IsEmpty());
}

TEST(Hints, ANameAsItStandsComesBeforeASectionAndAName) {
  const std::vector<Alias> aliases{{"model", "policy"}, {"ppo_model", "reward"}};
  const Words words{"policy", "reward", "ppo.batch"};
  EXPECT_THAT(meant_by("ppo_model", words, aliases).words, ElementsAre("reward"));
  EXPECT_THAT(meant_by("ppo.model", words, aliases).words, ElementsAre("policy"));
}

TEST(Hints, Question) {
  EXPECT_EQ(question({}), "");
  EXPECT_EQ(question({.words = {"ann"}, .note = {}}), " Did you mean ann?");
  EXPECT_EQ(question({.words = {"a", "b"}, .note = {}}, "--"), " Did you mean --a or --b?");
}

}  // namespace
}  // namespace precis
