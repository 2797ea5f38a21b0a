// PPO's losses, their gradients and whitening against PyTorch (tests/golden/rlhf/make_losses.py).
#include <gtest/gtest.h>

#include "device/device.hpp"
#include "kernels/exact_sum.hpp"
#include "rlhf/advantages.hpp"
#include "rlhf/rewards.hpp"
#include "rlhf/support.hpp"

namespace precis {
namespace {

using nlohmann::json;

json golden() { return test::read_json(test::source_folder() / "tests/golden/rlhf/losses.json"); }

class Losses : public testing::Test {
 protected:
  View upload(const json& list) {
    const auto values = list.get<std::vector<float>>();
    tensors_.push_back(device_.allocate({static_cast<std::int64_t>(values.size())}));
    const View view = tensors_.back().view();
    device_.backend().copy_to_device(device_.queue(), view, view_of(values.data(), view.shape()));
    return view;
  }
  View zeros(const Shape& shape, DType dtype = DType::f32) {
    tensors_.push_back(device_.zeros(shape, dtype));
    return tensors_.back().view();
  }
  void expect_gradient(ConstView found, const json& expected) {
    const auto gradient = device_.to_host<float>(found);
    ASSERT_EQ(gradient.size(), expected.size());
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      EXPECT_NEAR(gradient[i], expected[i].get<float>(), 1e-7F) << "token " << i;
    }
  }

  Device device_ = open_device("cpu");
  std::vector<Tensor> tensors_;
};

TEST_F(Losses, OfThePolicy) {
  const json cases = golden();
  for (const json& c : cases.at("policy")) {
    const auto count = static_cast<std::int64_t>(c.at("new").size());
    const View gradient = zeros({count});
    const View sums =
        zeros({static_cast<std::int64_t>(PolicySum::count), exact_sum_words}, DType::i64);
    const View ratio_max = zeros({1}, DType::f64);
    device_.backend().ppo_policy_loss(
        device_.queue(), gradient, sums, ratio_max, upload(c.at("new")), upload(c.at("old")),
        upload(c.at("advantages")), c.at("clip").get<double>(), 1.0 / static_cast<double>(count));
    expect_gradient(gradient, c.at("gradient"));
    const auto of = exact_sums(device_.to_host<std::int64_t>(sums));
    const auto mean = [&](PolicySum which) {
      return of[static_cast<std::size_t>(which)].value() / static_cast<double>(count);
    };
    EXPECT_NEAR(mean(PolicySum::loss), c.at("loss").get<double>(), 1e-6);
    EXPECT_DOUBLE_EQ(mean(PolicySum::clipped), c.at("clip_fraction").get<double>());
    EXPECT_NEAR(mean(PolicySum::ratio), c.at("ratio_mean").get<double>(), 1e-6);
    EXPECT_NEAR(device_.to_host<double>(ratio_max)[0], c.at("ratio_max").get<double>(), 1e-6);
    EXPECT_NEAR(mean(PolicySum::squared_change), c.at("update_kl").get<double>(), 1e-6);
  }
}

TEST_F(Losses, OfTheValue) {
  const json cases = golden();
  for (const json& c : cases.at("value")) {
    const auto count = static_cast<std::int64_t>(c.at("new").size());
    const View gradient = zeros({count});
    const View sums =
        zeros({static_cast<std::int64_t>(ValueSum::count), exact_sum_words}, DType::i64);
    device_.backend().ppo_value_loss(
        device_.queue(), gradient, sums, upload(c.at("new")), upload(c.at("old")),
        upload(c.at("returns")), c.at("clip").get<double>(),
        c.at("coefficient").get<double>() / static_cast<double>(count));
    expect_gradient(gradient, c.at("gradient"));
    const auto of = exact_sums(device_.to_host<std::int64_t>(sums));
    EXPECT_NEAR(of[0].value() / static_cast<double>(count), c.at("loss").get<double>(), 1e-6);
    EXPECT_DOUBLE_EQ(of[1].value() / static_cast<double>(count),
                     c.at("clip_fraction").get<double>());
  }
}

TEST_F(Losses, WhitenedAdvantages) {
  const json cases = golden();
  for (const json& c : cases.at("whiten")) {
    std::vector<Experience> batch;
    for (const json& advantages : c.at("advantages")) {
      batch.emplace_back().advantages = advantages.get<std::vector<float>>();
    }
    whiten(batch);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      for (std::size_t t = 0; t < batch[i].advantages.size(); ++t) {
        EXPECT_NEAR(batch[i].advantages[t], c.at("whitened")[i][t].get<float>(), 1e-6F);
      }
    }
  }
}

}  // namespace
}  // namespace precis
