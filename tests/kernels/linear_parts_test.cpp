// Sums of linear products in parts: their order, to the bit, and that ranks which have some of the
// parts each come to the same bits.
#include <cmath>

#include "kernels/harness.hpp"

namespace precis::test {
namespace {

using Bounds = std::vector<std::int64_t>;

/// The inner extents of the terms of a sum, each with its bounds.
struct Sum {
  std::string name;
  std::vector<Bounds> terms;
};

Bounds equal_parts(std::int64_t extent, std::int64_t parts) {
  Bounds bounds;
  for (std::int64_t p = 0; p <= parts; ++p) {
    bounds.push_back(extent * p / parts);
  }
  return bounds;
}

// Subtrees that one visit sums, parts and chains of several terms that need several, and trees
// beyond what one visit holds.
const std::vector<Sum> sums = {
    {"one part", {{0, 70}}},
    {"one long part", {{0, 2049}}},
    {"uneven", {{0, 1, 40, 41, 77}}},
    {"empty parts", {{0, 0, 31, 31, 31, 31, 64, 64, 64}}},
    {"nothing", {{0, 0, 0}}},
    {"attention output", {equal_parts(768, 8)}},
    {"MLP down", {equal_parts(3072, 8)}},
    {"long parts", {{0, 1030, 2000, 4100, 4100, 5150, 5151, 6500, 6600}}},
    {"as many parts as values", {equal_parts(64, 64)}},
    {"many parts", {equal_parts(300, 128)}},
    {"many parts of several terms", {equal_parts(150, 64), equal_parts(100, 64)}},
    {"query, key, value", {equal_parts(128, 8), equal_parts(64, 8), equal_parts(64, 8)}},
    {"uneven terms", {{0, 3, 3, 50, 52}, {0, 0, 0, 9, 9}, {0, 20, 21, 21, 40}}},
    {"long terms", {{0, 900, 2500}, {0, 1100, 1300}}},
    {"one part of long terms", {{0, 900}, {0, 1100}, {0, 1024}}},
};

/// One layer of a sum: y (N,M) += x (N,inner) w (inner,M).
struct Layer {
  HostTensor x, weight;
  Bounds bounds;
};

std::vector<Layer> make_layers(const Sum& sum, std::int64_t rows, std::int64_t columns,
                               std::uint64_t seed) {
  Random random(seed);
  std::vector<Layer> layers;
  for (const Bounds& bounds : sum.terms) {
    layers.push_back(
        {random.normal({rows, bounds.back()}), random.normal({bounds.back(), columns}), bounds});
  }
  return layers;
}

HostTensor columns_of(const HostTensor& x, std::int64_t begin, std::int64_t end) {
  HostTensor result = zeros({x.shape()[0], end - begin});
  for (std::int64_t row = 0; row < x.shape()[0]; ++row) {
    std::copy_n(x.data<float>() + row * x.shape()[1] + begin, end - begin,
                result.data<float>() + row * (end - begin));
  }
  return result;
}

HostTensor transposed(const HostTensor& x) {
  HostTensor result = zeros({x.shape()[1], x.shape()[0]});
  for (std::int64_t i = 0; i < x.shape()[0]; ++i) {
    for (std::int64_t j = 0; j < x.shape()[1]; ++j) {
      result.data<float>()[j * x.shape()[0] + i] = x.data<float>()[i * x.shape()[1] + j];
    }
  }
  return result;
}

/// Parts [begin, end), as a rank has them.
Layer parts_of(const Layer& layer, std::size_t begin, std::size_t end) {
  Layer own{columns_of(layer.x, layer.bounds[begin], layer.bounds[end]),
            layer.weight.rows(layer.bounds[begin], layer.bounds[end]),
            {}};
  for (std::size_t p = begin; p <= end; ++p) {
    own.bounds.push_back(layer.bounds[p] - layer.bounds[begin]);
  }
  return own;
}

/// y of one layer, by linear_forward.
Call forward(const Layer& layer, const HostTensor& bias = {}, const HostTensor& residual = {}) {
  return [=](test::Run& run) {
    const Pack pack = run.backend.pack_weight(run.queue, run.in(transposed(layer.weight)),
                                              PackFor::forward, DType::f32, {});
    run.backend.linear_forward(run.queue,
                               run.out("sum", zeros({layer.x.shape()[0], layer.weight.shape()[1]})),
                               run.in(layer.x), pack, layer.bounds, run.in(bias), run.in(residual));
  };
}

/// The sum over the layers, by linear_input_gradient.
Call input_gradient(const std::vector<Layer>& layers) {
  return [=](test::Run& run) {
    std::list<Pack> packs;
    std::vector<GradientTerm> terms;
    for (const Layer& layer : layers) {
      packs.push_back(run.backend.pack_weight(run.queue, run.in(layer.weight),
                                              PackFor::input_gradient, DType::f32, {}));
      terms.push_back({run.in(layer.x), &packs.back(), layer.bounds});
    }
    const Layer& first = layers.front();
    run.backend.linear_input_gradient(
        run.queue, run.out("sum", zeros({first.x.shape()[0], first.weight.shape()[1]})), terms);
  };
}

HostTensor on_cpu(const Call& call) { return run_on(cpu::backend, call).at("sum"); }

/// Parts [begin, begin + count) of element (row, column), in the order that kernels.hpp promises.
float element(const std::vector<Layer>& layers, std::int64_t row, std::int64_t column,
              std::size_t begin, std::size_t count) {
  if (count > 1) {
    return element(layers, row, column, begin, count / 2) +
           element(layers, row, column, begin + count / 2, count / 2);
  }
  float chain = 0.0F;
  for (const Layer& layer : layers) {
    for (std::int64_t k = layer.bounds[begin]; k < layer.bounds[begin + 1]; ++k) {
      chain = std::fma(layer.x.data<float>()[row * layer.x.shape()[1] + k],
                       layer.weight.data<float>()[k * layer.weight.shape()[1] + column], chain);
    }
  }
  return chain;
}

HostTensor in_order(const std::vector<Layer>& layers) {
  const std::int64_t rows = layers.front().x.shape()[0];
  const std::int64_t columns = layers.front().weight.shape()[1];
  HostTensor sum = zeros({rows, columns});
  for (std::int64_t i = 0; i < sum.numel(); ++i) {
    sum.data<float>()[i] =
        element(layers, i / columns, i % columns, 0, layers.front().bounds.size() - 1);
  }
  return sum;
}

/// The tree of kernels.hpp over ranks' results.
HostTensor tree_of(std::vector<HostTensor> of_ranks) {
  for (std::size_t step = 1; step < of_ranks.size(); step *= 2) {
    for (std::size_t rank = 0; rank < of_ranks.size(); rank += 2 * step) {
      Queue queue = cpu::backend.make_queue();
      cpu::backend.add(queue, of_ranks[rank].view(), of_ranks[rank + step].view());
    }
  }
  return of_ranks.front();
}

TEST(LinearParts, AgreeWithReference) {
  for (const Sum& sum : sums) {
    SCOPED_TRACE(sum.name);
    for (const auto& [rows, columns] :
         {std::pair<std::int64_t, std::int64_t>{0, 5}, {1, 37}, {14, 45}}) {
      Random random(2);
      const HostTensor bias = random.normal({columns});
      const HostTensor residual = random.normal({rows, columns});
      const auto layers = make_layers(sum, rows, columns, 1);
      // One chain of some thousand terms loses a little more than the default allows.
      expect_agreement(input_gradient(layers), 2e-6);
      expect_agreement(forward(layers.front(), bias, residual), 2e-6);
    }
  }
}

TEST(LinearParts, AreChainsInATree) {
  if (cpu::backend.describe().find("baseline") != std::string::npos) {
    GTEST_SKIP() << "without an instruction for it, a multiply-add rounds twice";
  }
  for (const Sum& sum : sums) {
    SCOPED_TRACE(sum.name);
    for (const auto& [rows, columns] :
         {std::pair<std::int64_t, std::int64_t>{1, 70}, {2, 33}, {15, 17}}) {
      const auto layers = make_layers(sum, rows, columns, 3);
      EXPECT_TRUE(on_cpu(input_gradient(layers)) == in_order(layers)) << rows << " rows";
      EXPECT_TRUE(on_cpu(forward(layers.front())) == in_order({layers.front()})) << rows << " rows";
    }
  }
}

TEST(LinearParts, RanksThatHaveSubtreesComeToTheSameBits) {
  Random random(5);
  const std::int64_t rows = 29;
  const std::int64_t columns = 75;
  const HostTensor bias = random.normal({columns});
  const HostTensor residual = random.normal({rows, columns});
  for (const Sum& sum : sums) {
    SCOPED_TRACE(sum.name);
    const auto layers = make_layers(sum, rows, columns, 4);
    const std::size_t parts = layers.front().bounds.size() - 1;
    const HostTensor gradient = on_cpu(input_gradient(layers));
    const HostTensor y = on_cpu(forward(layers.front(), bias, residual));
    for (std::size_t ranks = 1; ranks <= std::min<std::size_t>(parts, 8); ranks *= 2) {
      std::vector<HostTensor> gradients;
      std::vector<HostTensor> products;
      for (std::size_t rank = 0; rank < ranks; ++rank) {
        std::vector<Layer> own;
        for (const Layer& layer : layers) {
          own.push_back(parts_of(layer, parts / ranks * rank, parts / ranks * (rank + 1)));
        }
        gradients.push_back(on_cpu(input_gradient(own)));
        products.push_back(on_cpu(forward(own.front())));
      }
      EXPECT_TRUE(tree_of(gradients) == gradient) << ranks << " ranks";
      HostTensor sum_of_ranks = tree_of(products);
      Queue queue = cpu::backend.make_queue();
      cpu::backend.add_bias(queue, sum_of_ranks.view(), bias.view(), residual.view());
      EXPECT_TRUE(sum_of_ranks == y) << ranks << " ranks";
    }
  }
}

TEST(LinearParts, RowsKeepTheirBitsInAnyBatch) {
  const std::int64_t rows = 200;
  const auto rows_of = [](std::vector<Layer> layers, std::int64_t begin, std::int64_t end) {
    for (Layer& layer : layers) {
      layer.x = layer.x.rows(begin, end);
    }
    return layers;
  };
  for (const Sum& sum : sums) {
    SCOPED_TRACE(sum.name);
    const auto layers = make_layers(sum, rows, 130, 6);
    const HostTensor gradient = on_cpu(input_gradient(layers));
    const HostTensor y = on_cpu(forward(layers.front()));
    for (const auto& [begin, end] :
         {std::pair<std::int64_t, std::int64_t>{0, 1}, {77, 79}, {187, 200}, {3, 12}}) {
      const auto some = rows_of(layers, begin, end);
      EXPECT_TRUE(on_cpu(input_gradient(some)) == gradient.rows(begin, end)) << begin;
      EXPECT_TRUE(on_cpu(forward(some.front())) == y.rows(begin, end)) << begin;
    }
  }
}

TEST(LinearParts, NoBoundsAreOnePart) {
  for (const std::int64_t inner : {5, 1500}) {
    auto layers = make_layers({"", {{0, inner}, {0, 40}}}, 9, 21, 7);
    const HostTensor gradient = on_cpu(input_gradient(layers));
    const HostTensor y = on_cpu(forward(layers.front()));
    for (Layer& layer : layers) {
      layer.bounds.clear();
    }
    EXPECT_TRUE(on_cpu(input_gradient(layers)) == gradient);
    EXPECT_TRUE(on_cpu(forward(layers.front())) == y);
  }
}

}  // namespace
}  // namespace precis::test
