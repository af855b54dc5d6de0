// `berth-agent --serve`.
#pragma once

namespace berth::agent {
int serve_main(int argc, char** argv);
}
