// Sums over rows continue in memory: rows cut into calls at random places give the bits of one
// call, with any number of threads.
#include <omp.h>

#include "kernels/exact_sum.hpp"
#include "kernels/harness.hpp"

namespace precis::test {
namespace {

constexpr std::int64_t rows = 2500;

/// Places 0 = p_0 <= p_1 <= ... = rows, some of them equal, some one apart.
std::vector<std::int64_t> random_places(Random& random) {
  std::vector<std::int64_t> places{0, rows};
  for (int i = 0; i < 6; ++i) {
    const std::int64_t place = random.stream().below(rows);
    places.insert(places.end(), {place, place + (i % 2)});
  }
  std::sort(places.begin(), places.end());
  return places;
}

/// A kernel on rows [begin, end) of its arguments, which `place` has put into memory.
using CallOnRows = std::function<void(std::int64_t begin, std::int64_t end)>;
using Place = std::function<CallOnRows(test::Run&)>;

void expect_same_bits_however_cut(const Place& place) {
  Random random(17);
  const auto with = [&](int threads, const std::vector<std::int64_t>& places) {
    const int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    auto result = run_on(cpu::backend, [&](test::Run& run) {
      const CallOnRows call = place(run);
      for (std::size_t i = 0; i + 1 < places.size(); ++i) {
        call(places[i], places[i + 1]);
      }
    });
    omp_set_num_threads(before);
    return result;
  };
  const auto whole = with(2, {0, rows});
  for (const int threads : {1, 2, 3}) {
    for (int trial = 0; trial < 3; ++trial) {
      EXPECT_EQ(with(threads, random_places(random)), whole) << threads << " threads";
    }
  }
}

TEST(Cuts, OfALinearWeightsGradient) {
  Random random(1);
  for (const auto& [out, in] : {std::pair<std::int64_t, std::int64_t>{70, 131}, {1, 48}, {3, 1}}) {
    const HostTensor dy = random.normal({rows, out});
    const HostTensor x = random.normal({rows, in});
    const HostTensor dweight = random.normal({out, in});
    const HostTensor dbias = random.normal({out});
    expect_same_bits_however_cut([&](test::Run& run) {
      const View to_weight = run.out("dweight", dweight);
      const View to_bias = run.out("dbias", dbias);
      const ConstView from = run.in(dy);
      const ConstView input = run.in(x);
      return [=, &run](std::int64_t begin, std::int64_t end) {
        run.backend.linear_weight_gradient(run.queue, to_weight, to_bias, from.rows(begin, end),
                                           input.rows(begin, end));
      };
    });
  }
}

TEST(Cuts, OfNormGradients) {
  Random random(2);
  for (const std::int64_t width : {1, 48, 131, 320}) {
    const HostTensor x = random.normal({rows, width});
    const HostTensor dout = random.normal({rows, width});
    const HostTensor weight = random.normal({width});
    const HostTensor mean = random.normal({rows}, 0.1);
    const HostTensor rstd = random.uniform({rows}, 0.5, 2.0);
    const HostTensor dx = random.normal({rows, width});
    const HostTensor dweight = random.normal({width});
    const HostTensor dbias = random.normal({width});
    for (const bool with_bias : {true, false}) {
      expect_same_bits_however_cut([&](test::Run& run) {
        const View to_x = run.out("dx", dx);
        const View to_weight = run.out("dweight", dweight);
        const View to_bias = with_bias ? run.out("dbias", dbias) : View();
        const View rms_x = run.out("rms dx", dx);
        const View rms_weight = run.out("rms dweight", dweight);
        const ConstView a = run.in(dout);
        const ConstView b = run.in(x);
        const ConstView w = run.in(weight);
        const ConstView m = run.in(mean);
        const ConstView r = run.in(rstd);
        return [=, &run](std::int64_t begin, std::int64_t end) {
          run.backend.layer_norm_backward(run.queue, to_x.rows(begin, end), to_weight, to_bias,
                                          a.rows(begin, end), b.rows(begin, end), w,
                                          m.rows(begin, end), r.rows(begin, end));
          run.backend.rms_norm_backward(run.queue, rms_x.rows(begin, end), rms_weight,
                                        a.rows(begin, end), b.rows(begin, end), w,
                                        r.rows(begin, end));
        };
      });
    }
  }
}

TEST(Cuts, OfRowsAddedAtPlaces) {
  Random random(3);
  const HostTensor x = random.normal({rows, 131});
  const HostTensor places = random.indices({rows}, 29);
  const HostTensor table = random.normal({29, 131});
  expect_same_bits_however_cut([&](test::Run& run) {
    const View embedding = run.out("embedding", table);
    const View scattered = run.out("scattered", table);
    const ConstView from = run.in(x);
    const ConstView at = run.in(places);
    return [=, &run](std::int64_t begin, std::int64_t end) {
      run.backend.embedding_backward(run.queue, embedding, from.rows(begin, end),
                                     at.rows(begin, end), 0);
      run.backend.scatter_add_rows(run.queue, scattered, from.rows(begin, end),
                                   at.rows(begin, end));
    };
  });
}

TEST(Cuts, OfSumsAndLosses) {
  Random random(4);
  const HostTensor a = random.normal({rows}, 0.3);
  const HostTensor b = random.normal({rows}, 0.3);
  const HostTensor c = random.normal({rows});
  const HostTensor pairs = random.normal({rows, 2});
  HostTensor weights = zeros({rows}, DType::f64);
  for (std::int64_t row = 0; row < rows; ++row) {
    weights.data<double>()[row] = 0.1 * static_cast<double>(1 + row % 7);
  }
  const auto no_sums = [](std::int64_t count) {
    return zeros({count, exact_sum_words}, DType::i64);
  };
  expect_same_bits_however_cut([&](test::Run& run) {
    const View sum = run.out("sum", zeros({exact_sum_words}, DType::i64));
    const View squares = run.out("squares", zeros({exact_sum_words}, DType::i64));
    const View policy = run.out("policy", no_sums(4));
    const View ratio_max = run.out("ratio_max", zeros({1}, DType::f64));
    const View value = run.out("value", no_sums(2));
    const View preference = run.out("preference", no_sums(2));
    const View gradient = run.out("gradient", zeros({rows}));
    const View dpairs = run.out("dpairs", zeros({rows, 2}));
    const ConstView x = run.in(a);
    const ConstView y = run.in(b);
    const ConstView z = run.in(c);
    const ConstView rewards = run.in(pairs);
    const ConstView of_pairs = run.in(weights);
    return [=, &run](std::int64_t begin, std::int64_t end) {
      const auto part = [&](const auto& view) { return view.rows(begin, end); };
      const auto flat = [&](const auto& view) { return part(view).reshaped({2 * (end - begin)}); };
      run.backend.sum(run.queue, sum, part(x), Write::accumulate);
      run.backend.sum_of_squares(run.queue, squares, part(x), Write::accumulate);
      run.backend.ppo_policy_loss(run.queue, part(gradient), policy, ratio_max, part(x), part(y),
                                  part(z), 0.2, 0.5);
      run.backend.ppo_value_loss(run.queue, part(gradient), value, part(x), part(y), part(z), 0.2,
                                 0.5);
      run.backend.preference_loss(run.queue, flat(dpairs), preference, flat(rewards),
                                  part(of_pairs), 2.0);
    };
  });
}

}  // namespace
}  // namespace precis::test
